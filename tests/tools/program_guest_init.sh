#!/bin/busybox sh
# First process of a guest of program_guest.sh: runs the one program it is there for, and ends.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs run /run
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
for module in dm_crypt loop overlay; do modprobe "$module"; done
ip link set lo up
echo "guest-init: up after $(cut -d' ' -f1 /proc/uptime) s"
PAYGRESS_IN_GUEST=1 GTEST_COLOR=no "$(cat /etc/guest-program)" </dev/null
echo "guest-init: it ended with $? after $(cut -d' ' -f1 /proc/uptime) s"
sync
reboot -f

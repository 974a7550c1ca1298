#!/bin/busybox sh
# First process of the test guest (kvm_image.sh). Does of cloud-init what our seed asks for:
# meta-data's local-hostname, user-data's hashed_passwd for root and its write_files.
export PATH=/sbin:/bin:/usr/sbin:/usr/bin

mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /run/seed /run/paygress
mount -t devpts devpts /dev/pts
mount -t tmpfs run /run
mkdir -p /run/seed
for module in virtio_net isofs button evdev; do modprobe "$module"; done

# What follows "key:" on a line of a flat YAML file, without its quotes.
value() { sed -n "s/^[ -]*$1: *//p" "$2" | head -n 1 | sed "s/^[\"']//; s/[\"']\$//"; }

# write_files as we write them: path, permissions, and the content in base64.
write_files() {
  local path='' mode=0644 line
  while read -r line; do
    case $line in
      '- path: '*) path=$(echo "${line#- path: }" | tr -d "\"'") ;;
      'permissions: '*) mode=$(echo "${line#permissions: }" | tr -d "\"'") ;;
      'content: '*)
        mkdir -p "$(dirname "$path")"
        echo "${line#content: }" | tr -d "\"'" | base64 -d >"$path"
        chmod "$mode" "$path" ;;
    esac
  done <"$1"
}

seed=$(blkid -t LABEL=cidata -o device | head -n 1)
if [ -n "$seed" ] && mount -t iso9660 -o ro "$seed" /run/seed; then
  hostname "$(value local-hostname /run/seed/meta-data)"
  hash=$(value hashed_passwd /run/seed/user-data)
  rm -f /etc/passwd.lock /etc/shadow.lock  # of a boot that was killed in the middle of this
  [ -n "$hash" ] && echo "root:$hash" | chpasswd -e
  write_files /run/seed/user-data
  umount /run/seed
fi

busybox ifconfig lo 127.0.0.1 up
busybox ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
busybox route add default gw 10.0.2.2
echo "Hello from $(hostname)" >/www/index.html
busybox httpd -p 80 -h /www
busybox acpid -l /dev/console
dropbear -R -E
echo "guest-init: up after $(cut -d' ' -f1 /proc/uptime) s"
while :; do sleep 3600 & wait; done

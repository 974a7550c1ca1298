#!/bin/bash
# The first process of the namespaces that an engine under test lives in, started as
#   unshare --net --mount --pid --fork --kill-child --mount-proc enclosure.sh DIRECTORY
# Its network, its mounts and its processes are gone when this ends, however it ends. Writes
# DIRECTORY/ready when an engine may be started.
set -eu
# Engines look for their bridges in /sys, which shows the network namespace it was mounted in. The
# control groups below it come along.
groups=$1/groups
mkdir -p "$groups"
mount --rbind /sys/fs/cgroup "$groups"
mount -t sysfs sysfs /sys
mount --rbind "$groups" /sys/fs/cgroup
umount -l "$groups"
ip link set lo up
touch "$1/ready"
# Reaps what the engines leave behind: bash collects every child, adopted ones too.
while :; do
  sleep 3600 &
  wait $!
done

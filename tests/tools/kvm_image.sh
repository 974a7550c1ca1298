#!/usr/bin/env bash
# kvm_image.sh FILE.qcow2: makes a bootable disk image of Debian 12 from packages alone, for the
# tests of the KVM backend. As root; needs the packages debootstrap, grub-pc-bin and qemu-utils.
#
# What is in it: a minimal Debian, Debian's cloud kernel, dropbear, cryptsetup, and an init of its
# own instead of systemd and cloud-init, because under emulation those need a minute. It reads the
# same NoCloud seed: hostname, root's password hash, written files. A page is served on port 80.
# One ext4 partition; GRUB in the gap before it, so that the BIOS starts it from the disk.
set -euo pipefail
export LC_ALL=C.UTF-8

image=$(realpath -m -- "$1")
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=tests/tools/guest_kernel.sh
. "$here/guest_kernel.sh"
work=$(mktemp -d -- "$(dirname -- "$image")/kvm-image-XXXXXX")
trap 'rm -rf -- "$work"' EXIT
root=$work/root

debootstrap --variant=minbase \
  --include=busybox-static,cryptsetup-bin,dropbear-bin,e2fsprogs,kmod,libstdc++6 \
  bookworm "$root" >"$work/debootstrap.log" 2>&1 || { tail -n 20 "$work/debootstrap.log"; exit 1; }

unpack_kernel "$root"
rm -rf "$root"/var/cache/apt "$root"/var/lib/apt/lists "$root"/usr/share/{doc,man,locale}
make_ramdisk "$root" /dev/vda1 "$root/boot/initrd"

for applet in ip nc; do
  ln -s busybox "$root/bin/$applet"
done
install -m 755 "$here/kvm_guest_init.sh" "$root/sbin/guest-init"
mkdir -p "$root/etc/acpi/PWRF" "$root/etc/dropbear" "$root/www"
# Turns itself off when it is asked to, unless told to be stubborn.
printf '#!/bin/sh\n[ -e ~root/stubborn ] && exit\nsync\nbusybox poweroff -f\n' \
  >"$root/etc/acpi/PWRF/00000080"
chmod 755 "$root/etc/acpi/PWRF/00000080"
printf '/bin/sh\n/bin/bash\n' >"$root/etc/shells"

# MBR, GRUB from sector 1 on, one partition from 1 MiB on.
size_mb=900
truncate -s "${size_mb}M" "$work/disk"
cat >"$work/grub.cfg" <<'CFG'
linux (hd0,msdos1)/boot/vmlinuz console=ttyS0 quiet panic=1
initrd (hd0,msdos1)/boot/initrd
boot
CFG
grub-mkimage -O i386-pc -o "$work/core.img" -p / -c "$work/grub.cfg" \
  biosdisk part_msdos ext2 linux
dd if=/usr/lib/grub/i386-pc/boot.img of="$work/disk" bs=440 count=1 conv=notrunc status=none
dd if="$work/core.img" of="$work/disk" bs=512 seek=1 conv=notrunc status=none
# The partition table: one bootable Linux partition, from sector 2048 to the end.
sectors=$((size_mb * 2048 - 2048))
# shellcheck disable=SC2059  # the format is what is built here
entry='\\x80\\xfe\\xff\\xff\\x83\\xfe\\xff\\xff\\x00\\x08\\x00\\x00'
printf "$(printf "$entry"'\\x%02x\\x%02x\\x%02x\\x%02x' \
  $((sectors & 255)) $((sectors >> 8 & 255)) $((sectors >> 16 & 255)) $((sectors >> 24)))" |
  dd of="$work/disk" bs=1 seek=446 conv=notrunc status=none
printf '\x55\xaa' | dd of="$work/disk" bs=1 seek=510 conv=notrunc status=none
mke2fs -q -t ext4 -O ^has_journal -d "$root" -E offset=1048576,lazy_itable_init=1 \
  "$work/disk" "$((size_mb * 1024 - 1024))k"
qemu-img convert -O qcow2 "$work/disk" "$work/image.qcow2"
mv "$work/image.qcow2" "$image"

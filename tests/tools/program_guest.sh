#!/usr/bin/env bash
# program_guest.sh DIRECTORY KERNEL PROGRAM [FILE...]: makes a guest that runs PROGRAM and ends, out
# of what is installed here: DIRECTORY/{vmlinuz,initrd,disk}. KERNEL is images.sh's guest-kernel;
# PROGRAM and each FILE (or directory) are in the guest where they are here. As root.
#
# Nothing is configured in it: the programs with their libraries, the kernel's modules, and an init
# (program_guest_init.sh) that says on the serial line how PROGRAM ended.
set -euo pipefail
export LC_ALL=C.UTF-8
PATH=/usr/sbin:/usr/bin:/sbin:/bin

directory=$(realpath -- "$1") kernel=$2 program=$3
shift 2
here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=tests/tools/guest_kernel.sh
. "$here/guest_kernel.sh"
root=$directory/root
mkdir -p "$root"/{dev,etc,proc,sys,run,tmp,root,usr/bin,usr/sbin,usr/lib64,var/tmp}
for link in bin sbin lib lib64; do ln -s "usr/$link" "$root/$link"; done
tar -C "$root" --keep-directory-symlink --skip-old-files -xzf "$kernel"

# What is named, with what it links to and the libraries it is linked with.
put() {
  local file library
  for file; do
    mkdir -p "$root$(dirname -- "$file")"
    cp -a --dereference -- "$file" "$root$file"
    [[ -f $file && -x $file ]] || continue
    for library in $(ldd "$file" 2>/dev/null | grep -o '/[^ ]*'); do
      [[ -e $root$library ]] && continue
      mkdir -p "$root$(dirname -- "$library")"
      cp --dereference -- "$library" "$root$library"
    done
  done
}
for name in bash busybox mount umount unshare nsenter flock ip iptables modprobe grep \
  dockerd containerd containerd-shim-runc-v2 runc docker-init docker-proxy \
  cryptsetup mkfs.ext4 debugfs; do
  put "$(command -v "$name")"
done
put /etc/mke2fs.conf /usr/lib/x86_64-linux-gnu/xtables/*.so
put "$@"
# For what scripts want besides.
while read -r applet; do
  [[ -e $root/bin/$applet || -e $root/sbin/$applet ]] || ln -s busybox "$root/bin/$applet"
done < <(busybox --list)

echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
echo "$program" >"$root/etc/guest-program"
install -m 755 "$here/program_guest_init.sh" "$root/sbin/guest-init"
make_ramdisk "$root" /dev/vda "$directory/initrd"
mv "$root/boot/vmlinuz" "$directory/vmlinuz"
truncate -s 3G "$directory/disk"
mke2fs -q -t ext4 -O ^has_journal -d "$root" -E lazy_itable_init=1 "$directory/disk"
rm -rf -- "$root"

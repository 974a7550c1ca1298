# shellcheck shell=bash
# Sourced: Debian's cloud kernel for test guests, and the ramdisk that hands over to their disk.

# unpack_kernel ROOT: boot/vmlinuz and usr/lib/modules below ROOT.
# Unpacked, not configured: the package would generate an initramfs that nobody uses.
unpack_kernel() {
  local scratch package version
  scratch=$(mktemp -d -- "$(dirname -- "$1")/kernel-XXXXXX")
  package=$(apt-cache depends linux-image-cloud-amd64 |
    sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
  (cd "$scratch" && apt-get -qq download "$package" 2>/dev/null)
  dpkg-deb -x "$scratch"/linux-image-*.deb "$scratch/kernel"
  version=$(basename "$scratch"/kernel/boot/vmlinuz-*)
  version=${version#vmlinuz-}
  mkdir -p "$1/boot" "$1/usr/lib"
  cp "$scratch/kernel/boot/vmlinuz-$version" "$1/boot/vmlinuz"
  cp -a "$scratch/kernel/lib/modules" "$1/usr/lib/"  # /lib is a link there, and stays one
  [[ -e $1/lib ]] || ln -s usr/lib "$1/lib"
  depmod -b "$1" "$version"
  rm -rf -- "$scratch"
}

# make_ramdisk ROOT DEVICE FILE: loads the disk's driver, mounts DEVICE and hands over to
# /sbin/guest-init on it. ROOT is a root file system with busybox and one kernel's modules.
make_ramdisk() {
  local ram word file module version
  version=$(basename -- "$1"/usr/lib/modules/*)
  ram=$(mktemp -d -- "$(dirname -- "$1")/ram-XXXXXX")
  mkdir -p "$ram"/{bin,dev,disk,modules}
  cp "$1/bin/busybox" "$ram/bin/busybox"
  local modules=()
  for module in virtio_pci virtio_blk; do
    while read -r word file; do
      [[ $word == insmod ]] || continue
      cp "$file" "$ram/modules/"
      modules+=("$(basename "$file")")
    done < <(modprobe -d "$1" -S "$version" --show-depends "$module")
  done
  {
    echo '#!/bin/busybox sh'
    # What hangs before was not ours; kvm_test.cpp and guest.h look for it.
    echo 'echo "ramdisk: the kernel is up"'
    echo '/bin/busybox mount -t devtmpfs dev /dev'
    for module in "${modules[@]}"; do
      echo "/bin/busybox insmod /modules/$module 2>/dev/null"
    done
    echo "until [ -b $2 ]; do /bin/busybox usleep 20000; done"
    echo "/bin/busybox mount -t ext4 $2 /disk"
    echo '/bin/busybox mount --move /dev /disk/dev'
    echo 'exec /bin/busybox switch_root /disk /sbin/guest-init'
  } >"$ram/init"
  chmod 755 "$ram/init"
  (cd "$ram" && find . | busybox cpio -o -H newc 2>/dev/null) >"$3"
  rm -rf -- "$ram"
}

#!/bin/bash
# images.sh NAME DIRECTORY: makes an image for the engines' tests out of Debian packages, unless
# DIRECTORY has it already, and prints the path of its archive.
#
#   box-lxd      busybox and dropbear with an init of busybox, as an LXD image
#   box-docker   the same as a root file system; CMD /sbin/init
#   debian-lxd   Debian 12 with systemd and OpenSSH, as an LXD image (debootstrap: a minute or two)
#   kvm-guest    a disk with a bootable Debian 12, of kvm_image.sh (likewise)
#   guest-kernel a kernel with its modules, of guest_kernel.sh
set -euo pipefail
name=$1 cache=$2
tools=$(dirname -- "$(readlink -f -- "$0")")/../../tools

metadata() {
  printf 'architecture: %s\ncreation_date: %s\nproperties: {description: "%s", os: paygress}\n' \
    "$(uname -m)" "$(date +%s)" "$name" >"$work/metadata.yaml"
}

# Serves its name on port 80 and logs root in on port 22.
make_box() {
  mkdir -p "$root"/{bin,sbin,etc/dropbear,dev,proc,sys,run,tmp,root,usr/sbin,usr/bin,var,www}
  cp /bin/busybox "$root/bin/"
  local applet
  for applet in $(/bin/busybox --list); do
    [[ $applet == busybox || $applet == init ]] || ln -sf busybox "$root/bin/$applet"
  done
  cp "$(command -v dropbear || echo /usr/sbin/dropbear)" "$root/usr/sbin/dropbear"
  local library
  for library in $(ldd "$root/usr/sbin/dropbear" | grep -o '/[^ ]*'); do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:*:19000::::::' >"$root/etc/shadow"
  chmod 600 "$root/etc/shadow"
  echo 'root:x:0:' >"$root/etc/group"
  echo /bin/sh >"$root/etc/shells"
  mkdir -p "$root/usr/share/udhcpc"
  printf '#!/bin/sh\n[ "$1" = bound ] && ip addr add $ip/$mask dev $interface\n' \
    >"$root/usr/share/udhcpc/default.script"
  chmod 755 "$root/usr/share/udhcpc/default.script"
  # Ends when it is asked to (by TERM from docker, by PWR from LXD), unless told to be stubborn.
  cat >"$root/sbin/init" <<'INIT'
#!/bin/sh
PATH=/bin:/sbin:/usr/sbin
cd "$(grep ^root: /etc/passwd | cut -d: -f6)"
trap '[ -e stubborn ] || exit 0' TERM PWR
echo "Hello from $(hostname)" >/www/index.html
# Docker gives an address from outside; on LXD it is asked for.
[ -z "$(ip -4 -o addr show eth0 2>/dev/null)" ] &&
  udhcpc -i eth0 -b -q -s /usr/share/udhcpc/default.script >/dev/null 2>&1 &
httpd -f -h /www -p 80 &
/usr/sbin/dropbear -F -E -R &
while :; do wait; sleep 1; done
INIT
  chmod 755 "$root/sbin/init"
}

make_debian() {
  # What it mounts is gone with the namespace.
  unshare --mount debootstrap --variant=minbase \
    --include=systemd-sysv,dbus,openssh-server,iproute2 \
    bookworm "$root" >"$cache/$name.log" 2>&1
  # Every machine makes its own keys, at its first start.
  rm -f "$root"/etc/ssh/ssh_host_* "$root"/var/cache/apt/archives/*.deb "$root"/etc/machine-id
  rm -rf "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}/*
  mkdir -p "$root/etc/systemd/system/ssh.service.d"
  printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\nExecStartPre=%s\n' \
    '/usr/sbin/sshd -t' >"$root/etc/systemd/system/ssh.service.d/keys.conf"
}

# Another recipe is another image.
recipe() {
  case $name in
    kvm-guest) cat "$tools"/{kvm_image,guest_kernel,kvm_guest_init}.sh ;;
    guest-kernel) cat "$tools/guest_kernel.sh" ;;
    *) declare -f "make_${name%-*}" metadata ;;
  esac
}
result=$cache/$name-$(recipe | sha256sum | cut -c1-12).$([[ $name == kvm-guest ]] && echo qcow2 ||
  echo tar.gz)
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [[ -e $result ]]; then printf %s "$result"; exit; fi
work=$(mktemp -d "$cache/$name-XXXXXX")
trap 'rm -rf "$work"' EXIT
root=$work/rootfs
case $name in
  box-lxd) make_box; metadata; tar -C "$work" -czf "$work/made" metadata.yaml rootfs ;;
  box-docker) make_box; tar -C "$root" -czf "$work/made" . ;;
  debian-lxd) make_debian; metadata; tar -C "$work" -czf "$work/made" metadata.yaml rootfs ;;
  kvm-guest) "$tools/kvm_image.sh" "$work/made" >&2 ;;
  guest-kernel)
    # shellcheck source=tests/tools/guest_kernel.sh
    . "$tools/guest_kernel.sh"
    mkdir "$root"
    unpack_kernel "$root"
    tar -C "$root" -czf "$work/made" . ;;
  *) echo "images.sh: no image $name" >&2; exit 2 ;;
esac
mv "$work/made" "$result"
printf %s "$result"

#!/usr/bin/env bash
# Puts a Debian with Blender, a virtual display and xdotool into a folder, for tests/gui. A second run does nothing.
#
#   packaging/blender_window.sh SUITE FOLDER     as root; trixie has Blender 4.3, sid has 5.2
set -euo pipefail

suite=$1
folder=$2
if [ -e "$folder/.ready" ]; then exit 0; fi

mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' \
  /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null || true)
command -v debootstrap >/dev/null || { apt-get update -q; apt-get install -y -q debootstrap; }
mkdir -p "$folder"
[ -e "$folder/usr/bin/apt-get" ] || debootstrap --variant=minbase "$suite" "$folder" ${mirror:+"$mirror"}
cp /etc/hosts /etc/resolv.conf "$folder/etc/"
cp -n /etc/apt/apt.conf.d/* "$folder/etc/apt/apt.conf.d/" || true
mkdir -p "$folder/etc/ssl/certs" "$folder/share"
cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
trap 'umount --lazy "$folder/proc" "$folder/dev" 2>/dev/null || true' EXIT
for place in proc dev; do
  mountpoint -q "$folder/$place" || mount --bind "/$place" "$folder/$place"
done
chroot "$folder" apt-get update -q
DEBIAN_FRONTEND=noninteractive chroot "$folder" apt-get install -y -q --no-install-recommends \
  blender python3-cattr python3-numpy python3-requests python3-zstandard procps xvfb \
  libgl1-mesa-dri libegl-mesa0 libgl1 libglx-mesa0 imagemagick xdotool fonts-dejavu-core
chroot "$folder" blender --version | head -1
touch "$folder/.ready"

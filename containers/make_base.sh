#!/bin/sh
# A base for the images where no registry can be reached: Debian with Python, by debootstrap and buildah.
# As root: containers/make_base.sh [NAME]; then: make images BASE=NAME
set -eu
name=${1:-localhost/locaria-base:bookworm}
packages=python3,python3-pip,python3-venv,ca-certificates
export BUILDAH_ISOLATION=chroot
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase --include="$packages" bookworm "$folder/root" ${MIRROR:+"$MIRROR"} > "$folder/log" || {
  tail -20 "$folder/log" >&2
  exit 1
}
cd "$folder"
# In an image there is one Python for one program: pip may install beside Debian's packages.
rm -rf root/var/cache/apt/* root/var/lib/apt/lists/* root/usr/lib/python3*/EXTERNALLY-MANAGED
for texts in doc man info locale; do rm -rf "root/usr/share/$texts"/*; done
ln -sf python3 root/usr/bin/python
container=$(buildah from scratch)
buildah add --quiet "$container" root /
buildah config --cmd bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
buildah commit --quiet --rm "$container" "$name" > /dev/null
echo "$name"

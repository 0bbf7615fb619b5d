# SPDX-License-Identifier: GPL-2.0-or-later
# A repository in a scratch root: methods are children, which are told what to do by pipes.
# needs: apt-get dpkg-deb
# root
mkdir -p p/DEBIAN repo
cat >p/DEBIAN/control <<END
Package: umvu-thing
Version: 1
Architecture: all
Maintainer: x <x@x.x>
Description: x
END
dpkg-deb -b p repo/thing.deb >/dev/null
(
	cd repo
	dpkg-deb -f thing.deb
	echo "Filename: ./thing.deb"
	echo "Size: $(stat -c %s thing.deb)"
	echo "SHA256: $(sha256sum thing.deb | cut -d" " -f1)"
) >Packages
mv Packages repo
mkdir -p r/etc/apt/apt.conf.d r/etc/apt/preferences.d r/var/lib/dpkg r/var/lib/apt/lists/partial
mkdir -p r/var/cache/apt/archives/partial
touch r/var/lib/dpkg/status
echo "deb [trusted=yes] file:$PWD/repo ./" >r/etc/apt/sources.list
A="apt-get -qq -o Dir=$PWD/r -o Dir::State::status=$PWD/r/var/lib/dpkg/status -o APT::Sandbox::User=root"
$A update
echo $?
$A download umvu-thing
echo $?
ls *.deb
apt-cache -o Dir=$PWD/r show umvu-thing | head -2

# SPDX-License-Identifier: GPL-2.0-or-later
# A browser renders a page to a picture.
# needs: chromium
# large
export HOME=$PWD
echo "<h1>umvu</h1><script>document.title = 6 * 7</script>" >page.html
C="chromium --headless --no-sandbox --disable-gpu --user-data-dir=$PWD/u"
$C --screenshot=$PWD/shot.png --window-size=300,200 file://$PWD/page.html >/dev/null 2>&1
echo $?
head -c 8 shot.png | cksum
python3 -c '
import struct, zlib
data = open("shot.png", "rb").read()
print(struct.unpack(">II", data[16:24]))'
$C --dump-dom file://$PWD/page.html 2>/dev/null | grep -c "<title>42"

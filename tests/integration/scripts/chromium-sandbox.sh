# SPDX-License-Identifier: GPL-2.0-or-later
# With its sandbox: name spaces, and filters of its own for calls.
# needs: chromium
# large
export HOME=$PWD
echo "<h1>umvu</h1><script>document.title = 6 * 7</script>" >page.html
chromium --headless --disable-gpu --user-data-dir=$PWD/u --dump-dom file://$PWD/page.html 2>/dev/null |
	grep -c "<title>42"

# Fetches and unpacks a Debian source package: sh debian-source.sh PACKAGE DIRECTORY. The machine's own
# sources are used, with `deb-src` for `deb`; lists and downloads stay in DIRECTORY. No root is needed, and
# nothing of the system changes.
set -eu
package=$1
directory=$2
for program in apt-get dpkg-source; do
  command -v "$program" >/dev/null || {
    echo "there is no $program here: this recipe is for Debian (packages apt and dpkg-dev)" >&2
    exit 1
  }
done
mkdir -p "$directory/parts" "$directory/state/lists/partial" "$directory/cache/archives/partial"
cd "$directory"
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
  [ -f "$file" ] && sed -n 's/^deb /deb-src /p' "$file"
done >parts/here.list
for file in /etc/apt/sources.list.d/*.sources; do
  [ -f "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" >"parts/$(basename "$file")"
done
cat >apt.conf <<END
Dir::State "$PWD/state";
Dir::Cache "$PWD/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$PWD/parts";
END
apt-get -q -c apt.conf update >&2
apt-get -q -c apt.conf source --download-only "$package" >&2
rm -rf source
dpkg-source --no-check -x "$package"_*.dsc source >&2

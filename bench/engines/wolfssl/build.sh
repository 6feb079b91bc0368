# Builds bench/engines/build/wolfssl: sh bench/engines/wolfssl/build.sh, once. It takes a minute and a C
# compiler. The library is Debian's source package, or what lies in $WOLFSSL_SOURCE.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
engines=$(dirname "$here")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/objects" "$engines/build"
source=${WOLFSSL_SOURCE:-$scratch/source}
[ -d "$source" ] || sh "$engines/debian-source.sh" wolfssl "$scratch"
flags="-O2 -w -DWOLFSSL_USER_SETTINGS -I$here -I$source"
assembler=
if [ "$(uname -m)" = x86_64 ]; then
  flags="$flags -maes -mpclmul -msse4.1 -DWOLFSSL_X86_64_BUILD"
  assembler="aes_asm aes_gcm_asm fe_x25519_asm sha256_asm sha512_asm sp_x86_64_asm"
fi
# Its configure script would write this; user_settings.h says everything.
: >"$source/wolfssl/options.h"
set --
for name in internal ssl tls tls13 keys wolfio; do set -- "$@" "$source/src/$name.c"; done
for file in "$source"/wolfcrypt/src/*.c; do
  case $file in
  */misc.c | */evp.c) ;; # parts of other files
  *) set -- "$@" "$file" ;;
  esac
done
for name in $assembler; do set -- "$@" "$source/wolfcrypt/src/$name.S"; done
objects=
for file; do
  object=$scratch/objects/$(basename "$file" | tr . _).o
  ${CC:-cc} $flags -ffunction-sections -fdata-sections -c "$file" -o "$object"
  objects="$objects $object"
done
${CC:-cc} $flags -DENGINE='"wolfssl"' "$engines/owners.c" "$here/wolfssl.c" $objects -Wl,--gc-sections -lm \
  -o "$engines/build/wolfssl"
echo "built $engines/build/wolfssl"

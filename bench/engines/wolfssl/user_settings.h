/* How wolfSSL is built for the engine: a TLS 1.3 server with sessions that can be exported, and its assembler. */
#define WOLFSSL_SESSION_EXPORT
#define WOLFSSL_SESSION_EXPORT_NOPEER
#define WOLFSSL_TLS13
#define HAVE_TLS_EXTENSIONS
#define HAVE_SUPPORTED_CURVES
#define HAVE_HKDF
#define HAVE_SESSION_TICKET
#define NO_OLD_TLS
#define WOLFSSL_NO_TLS12
#define SINGLE_THREADED
#define NO_SESSION_CACHE

#define HAVE_AESGCM
#define HAVE_ECC
#define ECC_TIMING_RESISTANT
#define HAVE_CURVE25519
#define NO_RSA
#define NO_DH
#define NO_DSA
#define NO_RC4
#define NO_DES3
#define NO_MD4
#define NO_MD5
#define NO_PSK_HINT

#define WOLFSSL_SP_MATH_ALL
#define WOLFSSL_HAVE_SP_ECC
#ifdef __x86_64__
#define WOLFSSL_AESNI
#define USE_INTEL_SPEEDUP
#define WOLFSSL_SP_X86_64_ASM
#define WOLFSSL_SP_X86_64
#endif

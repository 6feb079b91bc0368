/* wolfSSL behind owners.h: by its own export of sessions, which carries keys and counters (no secrets). */
#include "../owners.h"

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/version.h>

const char *const library_name = "wolfSSL " LIBWOLFSSL_VERSION_STRING;

static WOLFSSL_CTX *context;

static session *over(WOLFSSL *ssl, int descriptor) {
  if (ssl != NULL) wolfSSL_set_fd(ssl, descriptor);
  return (session *)ssl;
}

static WOLFSSL *of(session *one) { return (WOLFSSL *)one; }

const char *library_open(const char *certificate, const char *key, const char *suite) {
  wolfSSL_Init();
  context = wolfSSL_CTX_new(wolfTLSv1_3_server_method());
  if (context == NULL) return "wolfSSL has no context";
  if (wolfSSL_CTX_use_certificate_chain_file(context, certificate) != WOLFSSL_SUCCESS)
    return "wolfSSL does not take the certificate";
  if (wolfSSL_CTX_use_PrivateKey_file(context, key, WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS)
    return "wolfSSL does not take the key";
  /* It knows suites as TLS13-AES128-GCM-SHA256, and by their names in the RFC if those are asked for. */
  if (wolfSSL_CTX_set_cipher_list(context, suite) != WOLFSSL_SUCCESS) return "wolfSSL lacks the suite";
  wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_NONE, NULL);
  /* One generator for all sessions: otherwise each import makes and seeds one. */
  wolfSSL_CTX_new_rng(context);
  return NULL;
}

session *library_accept(int descriptor) {
  session *one = over(wolfSSL_new(context), descriptor);
  if (one == NULL || wolfSSL_accept(of(one)) == WOLFSSL_SUCCESS) return one;
  wolfSSL_free(of(one));
  return NULL;
}

int library_read(session *from, char *to, size_t most) { return wolfSSL_read(of(from), to, (int)most); }

int library_write(session *to, const char *from, size_t length) {
  return wolfSSL_write(of(to), from, (int)length) == (int)length ? 0 : -1;
}

int library_export(session *from, unsigned char *to, size_t most) {
  unsigned int length = (unsigned int)most;
  return wolfSSL_tls_export(of(from), to, &length);
}

session *library_import(const unsigned char *state, size_t length, int descriptor) {
  session *one = over(wolfSSL_new(context), descriptor);
  if (one == NULL || wolfSSL_tls_import(of(one), state, (unsigned int)length) >= 0) return one;
  wolfSSL_free(of(one));
  return NULL;
}

void library_free(session *one) { wolfSSL_free(of(one)); }

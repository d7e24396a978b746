#ifndef BIHUAN_CRABBITMQ_TLS_H
#define BIHUAN_CRABBITMQ_TLS_H

#include <amqp_ssl_socket.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>

/* The library checks certificates itself, after the handshake and with a host check of its own. Here OpenSSL does both during
   the handshake, so that a refused peer never sees our certificate, addresses are checked as well as names, and the reason of
   a refusal is known. Mostly macros and callbacks, which Swift does not import; so it is C. */

/* What the callbacks of one connection share. It must outlive the connection's handle. */
struct rmq_tls {
    /* Sent to the peer, which may have a certificate for each name; empty for an address, which must not be sent. */
    char server_name[256];
    /* X509_V_…: why the peer's certificate was refused, or X509_V_OK. */
    int verify_error;
    /* The peer asked for a certificate: we have none, or we showed ours. */
    int lacks_certificate, shows_certificate;
    /* Lives as long as the connection's handle. */
    SSL *connection;
};

static int rmq_tls_on_verify(int is_verified, X509_STORE_CTX *store) {
    const SSL *ssl = (const SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct rmq_tls *tls = (struct rmq_tls *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (!is_verified) tls->verify_error = X509_STORE_CTX_get_error(store);
    return is_verified;
}

/* The library connects to an address that was resolved before, and would send that as the name. */
static void rmq_tls_on_progress(const SSL *ssl, int where, int value) {
    (void)value;
    if ((where & SSL_CB_HANDSHAKE_START) == 0) return;
    struct rmq_tls *tls = (struct rmq_tls *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    tls->connection = (SSL *)ssl;
    SSL_set_tlsext_host_name((SSL *)ssl, tls->server_name[0] == 0 ? NULL : tls->server_name);
}

/* In TLS 1.3 the refusal of a certificate comes after the handshake, and may be overtaken by the closing of the socket. */
static int rmq_tls_on_request(SSL *ssl, void *shared) {
    struct rmq_tls *tls = (struct rmq_tls *)shared;
    tls->lacks_certificate = SSL_get_certificate(ssl) == NULL;
    tls->shows_certificate = !tls->lacks_certificate;
    return 1;
}

/* Without this, OpenSSL would ask the terminal for the password of an encrypted key, and wait. */
static int rmq_tls_no_password(char *buffer, int size, int is_writing, void *nothing) {
    (void)buffer, (void)size, (void)is_writing, (void)nothing;
    return -1;
}

/* At least TLS 1.2; with `verifies_peer`, only for a certificate that holds `name`. 1, or 0 with OpenSSL's error. */
static inline int rmq_tls_prepare(
    amqp_socket_t *socket, struct rmq_tls *tls, const char *name, int is_address, int verifies_peer) {
    SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
    ERR_clear_error();
    SSL_CTX_set_app_data(context, tls);
    SSL_CTX_set_info_callback(context, rmq_tls_on_progress);
    SSL_CTX_set_cert_cb(context, rmq_tls_on_request, tls);
    SSL_CTX_set_default_passwd_cb(context, rmq_tls_no_password);
    amqp_ssl_socket_set_verify_peer(socket, 0);
    amqp_ssl_socket_set_verify_hostname(socket, 0);
    if (SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) return 0;
    if (!verifies_peer) return 1;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, rmq_tls_on_verify);
    X509_VERIFY_PARAM *expected = SSL_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return is_address ? X509_VERIFY_PARAM_set1_ip_asc(expected, name) : X509_VERIFY_PARAM_set1_host(expected, name, 0);
}

/* `file` in PEM, or the authorities that the system trusts. 1, or 0 with OpenSSL's error. */
static inline int rmq_tls_trust(amqp_socket_t *socket, const char *file) {
    SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
    return file ? SSL_CTX_load_verify_locations(context, file, NULL) : SSL_CTX_set_default_verify_paths(context);
}

/* Refuses revoked peers: `file` holds the list of each authority on the peer's chain, in PEM. A list that is missing or over
   refuses too. 1, or 0 with OpenSSL's error. */
static inline int rmq_tls_refuse_revoked(amqp_socket_t *socket, const char *file) {
    SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
    X509_LOOKUP *lists = X509_STORE_add_lookup(SSL_CTX_get_cert_store(context), X509_LOOKUP_file());
    return lists && X509_load_crl_file(lists, file, X509_FILETYPE_PEM) > 0
        && X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

/* Our own certificate, those between it and its authority, and its key, in PEM. 1, or 0 with OpenSSL's error. */
static inline int rmq_tls_present(amqp_socket_t *socket, const char *certificates, const char *key) {
    SSL_CTX *context = (SSL_CTX *)amqp_ssl_socket_get_context(socket);
    return SSL_CTX_use_certificate_chain_file(context, certificates) == 1
        && SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1;
}

/* Waits for what the peer says of our certificate, which is then OpenSSL's error. Nothing may have been sent after the
   handshake: the peer would close the connection over it, and its words would be lost. */
static inline void rmq_tls_hear_verdict(const struct rmq_tls *tls, int descriptor, int milliseconds) {
    struct pollfd arrival = {.fd = descriptor, .events = POLLIN};
    char first;
    int status = -1;
    ERR_clear_error();
    do {
        if (poll(&arrival, 1, milliseconds) != 1) return;
        status = SSL_peek(tls->connection, &first, 1);
    } while (status <= 0 && SSL_get_error(tls->connection, status) == SSL_ERROR_WANT_READ);
}

/* Seconds since 1970; -1 for a time that is none. */
static inline int64_t rmq_seconds(const ASN1_TIME *time) {
    struct tm parts;
    return time && ASN1_TIME_to_tm(time, &parts) ? (int64_t)timegm(&parts) : -1;
}

/* When the first certificate and the first revocation list in a PEM file end, in seconds since 1970; -1 for none.
   0 if the file cannot be read. */
static inline int rmq_pem_ends(const char *file, int64_t *certificate, int64_t *revocations) {
    *certificate = *revocations = -1;
    BIO *input = BIO_new_file(file, "r");
    STACK_OF(X509_INFO) *found = input ? PEM_X509_INFO_read_bio(input, NULL, rmq_tls_no_password, NULL) : NULL;
    BIO_free(input);
    for (int index = 0; found && index < sk_X509_INFO_num(found); index++) {
        X509_INFO *one = sk_X509_INFO_value(found, index);
        int64_t end = one->x509 ? rmq_seconds(X509_get0_notAfter(one->x509)) : -1;
        if (end >= 0 && (*certificate < 0 || end < *certificate)) *certificate = end;
        end = one->crl ? rmq_seconds(X509_CRL_get0_nextUpdate(one->crl)) : -1;
        if (end >= 0 && (*revocations < 0 || end < *revocations)) *revocations = end;
    }
    sk_X509_INFO_pop_free(found, X509_INFO_free);
    ERR_clear_error();
    return found != NULL;
}

/* Why TLS failed on this thread just now; NULL if it did not. */
static inline const char *rmq_tls_reason(const struct rmq_tls *tls) {
    if (tls->verify_error != X509_V_OK) return X509_verify_cert_error_string(tls->verify_error);
    if (tls->lacks_certificate) return "certificate required";
    unsigned long error = ERR_peek_last_error();
    if (error == 0) return NULL;
    const char *reason = ERR_reason_error_string(error);
    return reason ? reason : "an error without a name";
}

#endif

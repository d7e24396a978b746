#ifndef BIHUAN_CRABBITMQ_SHIM_H
#define BIHUAN_CRABBITMQ_SHIM_H

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_tcp_socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "tls.h"

/* Swift imports neither macros with casts nor variadic functions. */

static const amqp_method_number_t rmq_basic_ack = AMQP_BASIC_ACK_METHOD;
static const amqp_method_number_t rmq_basic_nack = AMQP_BASIC_NACK_METHOD;
static const amqp_method_number_t rmq_basic_cancel = AMQP_BASIC_CANCEL_METHOD;
static const amqp_method_number_t rmq_basic_cancel_ok = AMQP_BASIC_CANCEL_OK_METHOD;
static const amqp_method_number_t rmq_basic_qos = AMQP_BASIC_QOS_METHOD;
static const amqp_method_number_t rmq_basic_consume = AMQP_BASIC_CONSUME_METHOD;
static const amqp_method_number_t rmq_basic_deliver = AMQP_BASIC_DELIVER_METHOD;
static const amqp_method_number_t rmq_basic_get_ok = AMQP_BASIC_GET_OK_METHOD;
static const amqp_method_number_t rmq_basic_return = AMQP_BASIC_RETURN_METHOD;
static const amqp_method_number_t rmq_channel_close = AMQP_CHANNEL_CLOSE_METHOD;
static const amqp_method_number_t rmq_channel_close_ok = AMQP_CHANNEL_CLOSE_OK_METHOD;
static const amqp_method_number_t rmq_connection_close = AMQP_CONNECTION_CLOSE_METHOD;
static const amqp_method_number_t rmq_connection_close_ok = AMQP_CONNECTION_CLOSE_OK_METHOD;
static const amqp_method_number_t rmq_connection_blocked = AMQP_CONNECTION_BLOCKED_METHOD;
static const amqp_method_number_t rmq_connection_unblocked = AMQP_CONNECTION_UNBLOCKED_METHOD;

/* With `password` NULL the user is known by the certificate (EXTERNAL). */
static inline amqp_rpc_reply_t rmq_login(
    amqp_connection_state_t state, const char *vhost, int channel_max, int frame_max,
    int heartbeat, const amqp_table_t *client_properties, const char *user, const char *password) {
    if (!password) {
        return amqp_login_with_properties(
            state, vhost, channel_max, frame_max, heartbeat, client_properties,
            AMQP_SASL_METHOD_EXTERNAL, user);
    }
    return amqp_login_with_properties(
        state, vhost, channel_max, frame_max, heartbeat, client_properties,
        AMQP_SASL_METHOD_PLAIN, user, password);
}

/* A peer that takes no bytes for this long is dead; also bounds a write into a window that stays shut. */
static inline int rmq_set_tcp_user_timeout(int descriptor, unsigned int milliseconds) {
    return setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof milliseconds);
}

/* Declared by the C library only for those who ask for GNU's own functions. */
extern int pthread_getattr_np(pthread_t thread, pthread_attr_t *attributes);

/* How many bytes the calling thread's stack may still grow by; 0 if nobody knows. */
static inline size_t rmq_stack_bytes_left(void) {
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return 0;
    int status = pthread_attr_getstack(&attributes, &lowest, &size);
    pthread_attr_destroy(&attributes);
    uintptr_t here = (uintptr_t)&attributes;
    return status == 0 && here > (uintptr_t)lowest ? here - (uintptr_t)lowest : 0;
}

#endif

/* Counting what goes through a socket, for the pages of http.h. */
#pragma once

#include "exposition.h"
#include "socket.h"

static inline void count_received(struct traffic *traffic, const struct message *message)
{
    traffic->received[message->kind]++;
}

/* An ERROR is counted as a refusal whether or not it arrives. */
static inline void count_sent(struct traffic *traffic, const struct message *message, enum socket_result result)
{
    if (message->kind == MESSAGE_ERROR)
        traffic->refused[message->error.code < TRAFFIC_ERRORS ? (size_t)message->error.code : 0]++;
    if (result == SOCKET_OK) traffic->sent[message->kind]++;
    else if (result == SOCKET_GONE) traffic->unreached++;
    else traffic->drops++;
}

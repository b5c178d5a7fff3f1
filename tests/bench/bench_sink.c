/* A bare HTTPS service: bench_sink PORT CERTIFICATE-AND-KEY.pem. TLS 1.2 or 1.3, kept connections, a thread each. It asks for no
 * credential and keeps nothing: GET is answered with the one document and its ETag, PUT with 204. Prints "ready" when it listens.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#define ROOM 65536

static const char document[] = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Type: text/plain\r\nETag: \"1\"\r\n\r\ndocument";
static const char changed[] = "HTTP/1.1 204 No Content\r\nETag: \"1\"\r\n\r\n";
static const char refused[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";

static void die(const char *what)
{
    fprintf(stderr, "bench_sink: %s\n", what);
    exit(1);
}

/* Where the head ends, and how long the body is; 0 where it isn't all there. */
static size_t head_of(char *text, size_t n, size_t *ret_body)
{
    text[n] = 0;
    char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    *ret_body = 0;
    for (char *line = strstr(text, "\r\n"); line < end; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "content-length:", 15) == 0)
            *ret_body = strtoul(line + 17, NULL, 10);
    return (size_t)(end + 4 - text);
}

/* One request from `text`, which may hold part of it already; false at the connection's end. */
static bool serve(SSL *ssl, char *text, size_t *n)
{
    size_t head = 0, body = 0, got = 0;
    while (!(head = head_of(text, *n, &body)) || *n < head + body) {
        if (*n == ROOM || body > ROOM - head || SSL_read_ex(ssl, text + *n, ROOM - *n, &got) != 1)
            return false;
        *n += got;
    }
    const char *answer = strncmp(text, "GET ", 4) == 0 ? document : strncmp(text, "PUT ", 4) == 0 ? changed : refused;
    memmove(text, text + head + body, *n - head - body);
    *n -= head + body;
    return SSL_write(ssl, answer, (int)strlen(answer)) > 0;
}

static void *connection(void *of)
{
    static _Thread_local char text[ROOM + 1];
    SSL *ssl = of;
    size_t n = 0;
    int fd = SSL_get_fd(ssl);
    if (SSL_accept(ssl) == 1)
        while (serve(ssl, text, &n))
            ;
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static int listen_at(const char *port)
{
    const int yes = 1;
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(fd, 512) != 0)
        die("the port can't be had");
    return fd;
}

int main(int argc, char **argv)
{
    const int yes = 1;
    pthread_attr_t detached;
    if (argc != 3)
        die("PORT PEM");
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx || SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1)
        die("certificate and key can't be read");
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int listener = listen_at(argv[1]);
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        SSL *ssl = SSL_new(ctx);
        if (!ssl || SSL_set_fd(ssl, fd) != 1 || pthread_create(&thread, &detached, connection, ssl) != 0)
            die("no memory");
    }
}

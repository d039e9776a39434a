/* Has a program ask the DNS server at port DNS_PORT of loopback for names, by the resolver of the C library, which
 * takes no port from resolv.conf. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <nss.h>
#include <resolv.h>
#include <stdlib.h>

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real) {
        real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
        __nss_configure_lookup("hosts", "dns");
    }
    const char *port = getenv("DNS_PORT");
    /* The state is that of the thread. */
    if (port == NULL || res_init() != 0)
        return EAI_SYSTEM;
    _res.nscount = 1;
    _res.nsaddr_list[0].sin_family = AF_INET;
    _res.nsaddr_list[0].sin_port = htons(atoi(port));
    _res.nsaddr_list[0].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return real(host, service, hints, found);
}

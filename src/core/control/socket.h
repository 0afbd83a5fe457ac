/* The unix socket of the control server. */
#ifndef CORE_CONTROL_SOCKET_H
#define CORE_CONTROL_SOCKET_H

/* A listening, non-blocking socket at path, mode 0600. A socket there that nobody serves is replaced. -1: errno says
 * why (EADDRINUSE: somebody does serve it; ENAMETOOLONG; EEXIST: something that is no socket lies there). */
int control_socket_open(const char *path);

#endif

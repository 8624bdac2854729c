/* Descriptors that travel with a message over a socket. */
#ifndef TT_WIRE_RIGHTS_H
#define TT_WIRE_RIGHTS_H

#include <sys/socket.h>

#define TT_RIGHTS_MOST 3

/* Room for them, while the message is sent or received. */
union tt_rights {
    char room[CMSG_SPACE(TT_RIGHTS_MOST * sizeof(int))];
    struct cmsghdr align;
};

/* Puts `count` descriptors into a message to be sent. */
void tt_rights_put(struct msghdr *message, union tt_rights *rights,
                   const int *fds, unsigned count);

/* Takes those of a received message; they are the caller's. More than `most`
 * are all closed. Returns how many there are then. */
unsigned tt_rights_take(struct msghdr *message, int *fds, unsigned most);

#endif

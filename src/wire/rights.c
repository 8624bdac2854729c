#include "wire/rights.h"

#include <string.h>
#include <unistd.h>

void tt_rights_put(struct msghdr *message, union tt_rights *rights,
                   const int *fds, unsigned count)
{
    memset(rights, 0, sizeof *rights);
    message->msg_control = rights->room;
    message->msg_controllen = CMSG_SPACE(count * sizeof *fds);
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(count * sizeof *fds);
    memcpy(CMSG_DATA(head), fds, count * sizeof *fds);
}

unsigned tt_rights_take(struct msghdr *message, int *fds, unsigned most)
{
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    int got[sizeof(union tt_rights) / sizeof(int)]; /* padding has room, too */
    size_t n = 0;
    if (head && head->cmsg_level == SOL_SOCKET &&
        head->cmsg_type == SCM_RIGHTS && head->cmsg_len >= CMSG_LEN(0)) {
        n = (head->cmsg_len - CMSG_LEN(0)) / sizeof *fds;
        memcpy(got, CMSG_DATA(head), n * sizeof *fds);
    }
    if (n > most)
        while (n)
            close(got[--n]);
    memcpy(fds, got, n * sizeof *fds);
    return (unsigned)n;
}

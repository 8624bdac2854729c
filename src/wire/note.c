#include "wire/zygote.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/rights.h"

bool tt_zygote_send(int control, const struct tt_zygote_note *note, int fd,
                    int ms)
{
    struct tt_zygote_note copy = *note;
    struct iovec part = {&copy, sizeof copy};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union tt_rights rights;
    if (fd >= 0)
        tt_rights_put(&message, &rights, &fd, 1);
    for (;;) {
        if (sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
            return true;
        struct pollfd ready = {.fd = control, .events = POLLOUT};
        if (errno == EAGAIN && poll(&ready, 1, ms) == 0) {
            errno = EAGAIN;
            return false;
        }
        if (errno != EAGAIN && errno != EINTR)
            return false;
    }
}

int tt_zygote_receive(int control, struct tt_zygote_note *note, int *fd,
                      bool wait)
{
    struct iovec part = {note, sizeof *note};
    union tt_rights rights;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = rights.room,
                             .msg_controllen = sizeof rights.room};
    ssize_t n;
    do
        n = recvmsg(control, &message,
                    MSG_CMSG_CLOEXEC | (wait ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    *fd = -1;
    if (n < 0)
        return !wait && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
    if (n > 0 && tt_rights_take(&message, fd, 1) == 0)
        *fd = -1;
    if (n == sizeof *note)
        return 1;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return -1;
}

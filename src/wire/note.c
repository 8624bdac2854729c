#include "wire/zygote.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

static void attach(struct msghdr *message, union control *control, int fd)
{
    memset(control, 0, sizeof *control);
    message->msg_control = control->room;
    message->msg_controllen = sizeof control->room;
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(head), &fd, sizeof fd);
}

bool tt_zygote_send(int control, const struct tt_zygote_note *note, int fd,
                    int ms)
{
    struct tt_zygote_note copy = *note;
    struct iovec part = {&copy, sizeof copy};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    union control rights;
    if (fd >= 0)
        attach(&message, &rights, fd);
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

static int attached(struct msghdr *message)
{
    int fd = -1;
    struct cmsghdr *head = CMSG_FIRSTHDR(message);
    if (head && head->cmsg_level == SOL_SOCKET &&
        head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof fd))
        memcpy(&fd, CMSG_DATA(head), sizeof fd);
    return fd;
}

int tt_zygote_receive(int control, struct tt_zygote_note *note, int *fd,
                      bool wait)
{
    struct iovec part = {note, sizeof *note};
    union control rights;
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
    if (n > 0)
        *fd = attached(&message);
    if (n == sizeof *note)
        return 1;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return -1;
}

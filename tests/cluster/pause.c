/* What a pod's sandbox runs: nothing. It holds the namespaces until told to
 * end, and buries orphans of the pod should it be their init. */
#include <signal.h>
#include <unistd.h>

static void stop(int signal) {
    (void)signal;
    _exit(0);
}

int main(void) {
    signal(SIGTERM, stop);
    signal(SIGINT, stop);
    signal(SIGCHLD, SIG_IGN);
    for (;;) pause();
}

/* What the macros of three systems' <sys/wait.h> say of every status whose low
 * 16 bits are all that there is. Each set is written down here from the
 * system's documentation under a prefix of its own, so that all run on any
 * machine. A line a word: system, word, kind, number, core. */
#include <stdio.h>

/* Linux, glibc's <bits/waitstatus.h> */
#define L_WTERMSIG(s) ((s) & 0x7f)
#define L_WEXITSTATUS(s) (((s) & 0xff00) >> 8)
#define L_WSTOPSIG(s) L_WEXITSTATUS(s)
#define L_WIFEXITED(s) (L_WTERMSIG(s) == 0)
#define L_WIFSIGNALED(s) (((signed char)(((s) & 0x7f) + 1) >> 1) > 0)
#define L_WIFSTOPPED(s) (((s) & 0xff) == 0x7f)
#define L_WIFCONTINUED(s) ((s) == 0xffff)
#define L_WCOREDUMP(s) ((s) & 0x80)

/* NetBSD, sys/wait.h */
#define N_WSTATUS(s) ((s) & 0177)
#define N_WIFCONTINUED(s) ((s) == 0xffff)
#define N_WIFSTOPPED(s) (N_WSTATUS(s) == 0177 && !N_WIFCONTINUED(s))
#define N_WSTOPSIG(s) ((int)((unsigned)(s) >> 8) & 0xff)
#define N_WIFSIGNALED(s) (N_WSTATUS(s) != 0177 && N_WSTATUS(s) != 0)
#define N_WTERMSIG(s) N_WSTATUS(s)
#define N_WIFEXITED(s) (N_WSTATUS(s) == 0)
#define N_WEXITSTATUS(s) ((int)((unsigned)(s) >> 8) & 0xff)
#define N_WCOREDUMP(s) ((s) & 0200)

/* FreeBSD, sys/wait.h */
#define F_WSTATUS(s) ((s) & 0177)
#define F_WIFCONTINUED(s) ((s) == 0x13)
#define F_WIFSTOPPED(s) (F_WSTATUS(s) == 0177)
#define F_WSTOPSIG(s) ((s) >> 8)
#define F_WIFSIGNALED(s) (F_WSTATUS(s) != 0177 && F_WSTATUS(s) != 0 && (s) != 0x13)
#define F_WTERMSIG(s) F_WSTATUS(s)
#define F_WIFEXITED(s) (F_WSTATUS(s) == 0)
#define F_WEXITSTATUS(s) ((s) >> 8)
#define F_WCOREDUMP(s) ((s) & 0200)

#define TELL(system, P)                                                    \
    for (int s = 0; s <= 0xffff; s++) {                                    \
        if (P##_WIFCONTINUED(s))                                           \
            printf(system " %d continued 0 0\n", s);                       \
        else if (P##_WIFEXITED(s))                                         \
            printf(system " %d exited %d 0\n", s, P##_WEXITSTATUS(s));     \
        else if (P##_WIFSIGNALED(s))                                       \
            printf(system " %d signaled %d %d\n", s, P##_WTERMSIG(s),      \
                   P##_WCOREDUMP(s) != 0);                                 \
        else if (P##_WIFSTOPPED(s))                                        \
            printf(system " %d stopped %d 0\n", s, P##_WSTOPSIG(s));       \
        else                                                               \
            printf(system " %d unknown 0 0\n", s);                         \
    }

int main(void)
{
    TELL("linux", L)
    TELL("netbsd", N)
    TELL("freebsd", F)
    return 0;
}

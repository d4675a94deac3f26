/* Takes a terminal over for a full-screen program and gives it back however the program ends.
 *
 * In C because signal handlers may only call async-signal-safe functions, which Swift code cannot promise.
 *
 * What is given back: the line discipline as it was, the main screen, a visible cursor, no attributes. When:
 * - terminal_leave, and any exit (atexit);
 * - SIGTERM, SIGHUP, SIGINT: the handler gives back and wakes the program, which has two seconds to end by itself
 *   (terminal_ended) before SIGALRM ends it;
 * - SIGQUIT and the signals of a crash: the handler gives back, and the signal then acts as usual;
 * - SIGKILL: a guard process, forked by terminal_enter, sees its pipe close without the farewell byte and gives back.
 */
#ifndef LENTICULAR_TERMINAL_H
#define LENTICULAR_TERMINAL_H

typedef struct {
    int columns, rows;
    /* Size of the window in pixels; 0 where the terminal does not say. */
    int width, height;
} terminal_size_t;

/* Raw mode and the alternate screen on a terminal that is open for reading and writing; returns 0 or an errno. One terminal
 * at a time. */
int terminal_enter(int descriptor);

/* Gives the terminal back; does nothing when it is not taken. */
void terminal_leave(void);

/* Gives it back, stops the process as Ctrl-Z does, and takes it again once the shell continues the process. Returns an errno. */
int terminal_suspend(void);

/* The signal that asked the program to end; 0 while there was none. The terminal is given back by then. */
int terminal_ended(void);

/* A descriptor that becomes readable when the window changed its size or terminal_wake was called. */
int terminal_events(void);
/* Empties it. */
void terminal_clear_events(void);
/* From any thread. */
void terminal_wake(void);

terminal_size_t terminal_size(int descriptor);

/* A pseudo-terminal of that size: person is the end that types and sees, program the terminal. Returns 0 or an errno. */
int terminal_open_pair(terminal_size_t size, int *person, int *program);
#endif

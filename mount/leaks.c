/* leaks: what LeakSanitizer is to pass over. In its builds only. */

/* By LeakSanitizer, when it looks for leaks at the end. */
const char *__lsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    /* libfuse 3.14 keeps an interrupt whose request was answered already (do_interrupt()), and does
     * not free it with the session. */
    return "leak:libfuse3.so\n";
}

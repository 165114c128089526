/* leaks: what LeakSanitizer is to pass over. In its builds only. */

/* By LeakSanitizer, when it looks for leaks at the end. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_options(void);

__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void)
{
    /* libfuse 3.14 keeps an interrupt whose request was answered already (do_interrupt()), and does
     * not free it with the session. Its function has no name without debugging symbols, so that
     * what our operations leak in libfuse's threads is passed over, too: tests/e2e/test_load.py
     * sees that memory levels off. */
    return "leak:libfuse3.so\n";
}

__attribute__((visibility("default"))) const char *__lsan_default_options(void)
{
    return "print_suppressions=0"; /* that one was made use of is no report */
}

#!/usr/bin/env python3
"""The core calls nothing that makes two runs differ: read from its archives with nm.

usage: purity.py ARCHIVE...
       purity.py --self-test COMPILER

Symbols that an archive needs and does not define are compared with a deny list. What the external
libraries (libsecp256k1, libcrypto, libcbor, Boost.JSON) use inside themselves is not looked at.
"""
import re
import subprocess
import sys
import tempfile

from tree import expect, report

# C names match whole; C++ patterns match the demangled name.
DENIED_C = {
    "clock": """clock clock_gettime clock_getres clock_nanosleep gettimeofday time times ftime
        timespec_get nanosleep usleep sleep alarm localtime localtime_r mktime strftime ctime
        timer_create timerfd_create""",
    "file": """open open64 openat openat64 creat fopen fopen64 fdopen freopen fclose read pread
        pread64 readv write pwrite pwrite64 writev close lseek lseek64 stat stat64 lstat lstat64
        fstat fstat64 opendir readdir readdir64 unlink rename mkdir rmdir remove tmpfile mkstemp
        mmap mmap64 munmap fsync fdatasync truncate ftruncate ftruncate64 ioctl fcntl fcntl64
        fread fwrite fgets getline access realpath chdir getcwd pipe pipe2 dup dup2""",
    "socket": """socket socketpair connect bind listen accept accept4 send sendto sendmsg recv
        recvfrom recvmsg shutdown setsockopt getsockopt getaddrinfo gethostbyname poll ppoll select
        pselect epoll_create epoll_create1 epoll_ctl epoll_wait eventfd inet_ntop inet_pton""",
    "environment": """getenv secure_getenv setenv unsetenv putenv environ getpid getppid gettid
        getuid geteuid gethostname uname sysconf getpagesize get_nprocs system popen fork vfork
        execve execv execvp execl execlp posix_spawn posix_spawnp waitpid dlopen dlsym signal
        sigaction raise kill getrusage sched_getcpu""",
    "entropy": """rand srand rand_r random srandom drand48 lrand48 mrand48 getrandom getentropy
        arc4random arc4random_buf arc4random_uniform RAND_bytes RAND_priv_bytes RAND_seed RAND_add
        RAND_poll RAND_status""",
    "locale": """setlocale newlocale uselocale freelocale duplocale localeconv nl_langinfo strcoll
        strxfrm __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc toupper tolower strtod strtof
        strtold atof mbstowcs wcstombs mbrtowc wcrtomb iconv""",
    "logging": """printf fprintf vprintf vfprintf dprintf puts putchar putc fputs fputc fflush
        __printf_chk __fprintf_chk __vfprintf_chk stdout stderr stdin perror syslog vsyslog
        backtrace backtrace_symbols""",
}
DENIED_CXX = {
    "clock": r"std::chrono::.*(system|steady|high_resolution)_clock|std::this_thread::sleep",
    "file": r"std::(__cxx11::)?basic_(filebuf|fstream|ifstream|ofstream)|std::filesystem::",
    "socket": r"boost::(asio|beast)::",
    "thread": r"^(pthread_|thrd_|mtx_|cnd_|sem_)|std::(thread|jthread|mutex|condition_variable|"
              r"future|promise|__future_base|call_once|this_thread)\b",
    "entropy": r"std::random_device",
    "locale": r"std::(locale|ctype|num_get|num_put|use_facet)\b",
    "logging": r"std::(w?cout|w?cin|w?cerr|w?clog)\b|std::ios_base::Init|spdlog::|\bfmt::v",
}
C_NAMES = {name: kind for kind, names in DENIED_C.items() for name in names.split()}
CXX_PATTERNS = [(kind, re.compile(pattern)) for kind, pattern in DENIED_CXX.items()]


def denied(symbol):
    """The kind of thing a symbol reaches for, or None."""
    name = symbol.split("@")[0]
    if name in C_NAMES:
        return C_NAMES[name]
    for kind, pattern in CXX_PATTERNS:
        # A parameter's type is no call: only the name in front of the parameters counts.
        if pattern.search(name.split("(")[0]):
            return kind
    return None


def scan(archive):
    """(problems, number of symbols) of one archive."""
    listing = subprocess.run(["nm", "-uC", archive], capture_output=True, text=True, check=True)
    problems, count, member = [], 0, "?"
    for line in listing.stdout.splitlines():
        if line.endswith(":") and not line.startswith(" "):
            member = line[:-1]
            continue
        symbol = re.match(r"\s+[Uwv] (.*)", line)
        if not symbol:
            continue
        count += 1
        kind = denied(symbol.group(1))
        if kind:
            problems.append(f"{archive}({member}) reaches for a {kind}: {symbol.group(1)}")
    return problems, count


PLANTED = {
    "clock": "#include <chrono>\nlong f() { return std::chrono::steady_clock::now()"
             ".time_since_epoch().count(); }",
    "file": "#include <cstdio>\nvoid* f() { return fopen(\"a\", \"r\"); }",
    "socket": "#include <sys/socket.h>\nint f() { return socket(1, 1, 0); }",
    "thread": "#include <pthread.h>\nvoid f(pthread_mutex_t* m) { pthread_mutex_lock(m); }",
    "environment": "#include <cstdlib>\nchar* f() { return getenv(\"A\"); }",
    "entropy": "#include <random>\nunsigned f() { return std::random_device{}(); }",
    "locale": "#include <cctype>\nint f(int c) { return toupper(c); }",
    "logging": "#include <iostream>\nint f() { return 1; }",
}
CLEAN = "#include <string>\nstd::string f(std::string a) { return a + \"time\"; }"


def self_test(compiler):
    with tempfile.TemporaryDirectory() as folder:
        def found(text):
            source, archive = f"{folder}/a.cpp", f"{folder}/liba.a"
            with open(source, "w", encoding="utf-8") as file:
                file.write(text)
            subprocess.run([compiler, "-O2", "-c", source, "-o", f"{folder}/a.o"], check=True)
            subprocess.run(["ar", "rcs", archive, f"{folder}/a.o"], check=True)
            return scan(archive)[0]

        for kind, text in PLANTED.items():
            expect(any(f"reaches for a {kind}:" in p for p in found(text)), f"missed a {kind}")
        expect(not found(CLEAN), "accused a clean file")
    print(f"purity: found all {len(PLANTED)} planted violations, and none in a clean file")
    return 0


def main(arguments):
    if arguments[:1] == ["--self-test"]:
        return self_test(arguments[1])
    problems, count = [], 0
    for archive in arguments:
        found, symbols = scan(archive)
        problems += found
        count += symbols
    return report("purity", count, problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

//! Writes platform.hpp: what libzmq's own CMake build would find out about the target by trial compilations.

/// Switches that hold on every system we build for.
const COMMON: &[&str] = &[
    "ZMQ_USE_CV_IMPL_STL11",
    "ZMQ_POLL_BASED_ON_POLL",
    "ZMQ_USE_LIBSODIUM",
    "ZMQ_HAVE_CURVE",
    "ZMQ_HAVE_CRYPTO_BOX_EASY_FNS",
    "ZMQ_HAVE_IPC",
    "ZMQ_HAVE_STRUCT_SOCKADDR_UN",
    "ZMQ_HAVE_UIO",
    "ZMQ_HAVE_NOEXCEPT",
    "ZMQ_HAVE_IFADDRS",
    "ZMQ_HAVE_O_CLOEXEC",
    "ZMQ_HAVE_SO_KEEPALIVE",
    "ZMQ_HAVE_TCP_KEEPCNT",
    "ZMQ_HAVE_TCP_KEEPINTVL",
    "HAVE_CLOCK_GETTIME",
    "HAVE_FORK",
    "HAVE_IF_NAMETOINDEX",
    "HAVE_MKDTEMP",
    "HAVE_POSIX_MEMALIGN",
    "HAVE_STRNLEN",
];

const LINUX: &[&str] = &[
    "ZMQ_HAVE_LINUX",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
    "ZMQ_HAVE_EVENTFD",
    "ZMQ_HAVE_EVENTFD_CLOEXEC",
    "ZMQ_HAVE_SOCK_CLOEXEC",
    "ZMQ_HAVE_SO_BINDTODEVICE",
    "ZMQ_HAVE_SO_PEERCRED",
    "ZMQ_HAVE_SO_PRIORITY",
    "ZMQ_HAVE_BUSY_POLL",
    "ZMQ_HAVE_TCP_KEEPIDLE",
    "ZMQ_HAVE_GETRANDOM",
    "ZMQ_HAVE_PTHREAD_SETNAME_2",
    "ZMQ_HAVE_PTHREAD_SET_AFFINITY",
    "ZMQ_HAVE_PPOLL",
    "HAVE_ACCEPT4",
];

const MACOS: &[&str] = &[
    "ZMQ_HAVE_OSX",
    "ZMQ_IOTHREAD_POLLER_USE_KQUEUE",
    "ZMQ_HAVE_LOCAL_PEERCRED",
    "ZMQ_HAVE_TCP_KEEPALIVE",
    "ZMQ_HAVE_PTHREAD_SETNAME_1",
    "ZMQ_HAVE_STRLCPY",
];

/// The text of platform.hpp for a target, named as cargo does.
pub fn header(target_os: &str, target_env: &str) -> String {
    let own = match target_os {
        "linux" => LINUX,
        "macos" => MACOS,
        other => panic!("libzmq is not bundled for {other}: set ZMQ_SYS_USE_PKG_CONFIG=1 to use the system's"),
    };
    let mut text =
        String::from("#ifndef DIVIDERE_PLATFORM_HPP\n#define DIVIDERE_PLATFORM_HPP\n#define ZMQ_CACHELINE_SIZE 64\n");
    for name in COMMON.iter().chain(own) {
        text.push_str(&format!("#define {name} 1\n"));
    }
    if target_env == "musl" {
        text.push_str("#define ZMQ_HAVE_STRLCPY 1\n");
    } else if target_os == "linux" {
        // glibc has strlcpy since 2.38; its declaration clashes with libzmq's own copy.
        text.push_str(
            "#include <features.h>\n#if defined __GLIBC__ && __GLIBC_PREREQ(2, 38)\n#define ZMQ_HAVE_STRLCPY 1\n#endif\n",
        );
    }
    text.push_str("#endif\n");
    text
}

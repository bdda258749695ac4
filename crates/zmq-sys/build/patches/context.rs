//! Options of a context.

use super::Patch;

pub const PATCHES: &[Patch] = &[Patch {
    file: "src/ctx.cpp",
    why: "thread name prefixes of four letters",
    old: "            if (is_int) {
                std::ostringstream s;
                s << value;
                scoped_lock_t locker (_opt_sync);
                _thread_name_prefix = s.str ();
                return 0;
            } else if (optvallen_ > 0 && optvallen_ <= 16) {
",
    new: "            if (optvallen_ > 0 && optvallen_ <= 16) {
",
}];

//! The choice between losing, waiting and failing, when a peer does not keep up.

/// What a send does when the queue to a peer is full.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FullQueue {
    /// Gives the message up, and counts it.
    Drop = 1,
    /// Waits for room, as long as the send timeout allows.
    Block = 2,
    /// Returns WOULD_BLOCK.
    Fail = 3,
}

impl FullQueue {
    /// Every policy, in the order of the numbers.
    pub const ALL: [FullQueue; 3] = [FullQueue::Drop, FullQueue::Block, FullQueue::Fail];

    /// The name that options take as text: "drop".
    pub const fn name(self) -> &'static str {
        match self {
            FullQueue::Drop => "drop",
            FullQueue::Block => "block",
            FullQueue::Fail => "fail",
        }
    }

    /// The policy of a number; None when no policy has it.
    pub fn from_code(code: i64) -> Option<FullQueue> {
        FullQueue::ALL.into_iter().find(|policy| *policy as i64 == code)
    }

    /// The policy of a name; None when no policy has it.
    pub fn from_name(name: &str) -> Option<FullQueue> {
        FullQueue::ALL.into_iter().find(|policy| policy.name() == name)
    }
}

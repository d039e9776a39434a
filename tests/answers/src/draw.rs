//! Decisions that bytes stand for.

/// Bytes that decisions are drawn from. When they are used up, every decision is the first one.
pub struct Draw {
    bytes: Vec<u8>,
    at: usize,
}

impl Draw {
    pub fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0 }
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or_default();
        self.at += 1;
        usize::from(byte) % end.max(1)
    }

    /// Whether something happens that has one chance in `chances`.
    pub fn once_in(&mut self, chances: usize) -> bool {
        self.below(chances) == chances - 1
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub const fn is_used_up(&self) -> bool {
        self.at >= self.bytes.len()
    }
}

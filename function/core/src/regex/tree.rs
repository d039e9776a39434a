//! The parts of a pattern while it is read, and how they are put together.
//!
//! In: atoms and alternatives of a group; out: one part for the whole group. Parts
//! are merged as Go merges them, because its limits count what remains.

use regex_syntax::hir::{Capture, Hir};

use super::RegexError;

/// How deep a pattern nests at most: the engine recurses. Go takes 1000.
const MAX_HEIGHT: u32 = 250;

#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) fold_case: bool,
    pub(super) multi_line: bool,
    pub(super) dot_matches_newline: bool,
    pub(super) swap_greed: bool,
}

/// A part of a pattern, with what the limits need to know of it.
pub(super) struct Node {
    pub(super) body: Body,
    /// The height of the tree for it.
    pub(super) height: u32,
    /// How many copies of its innermost part it stands for at most.
    pub(super) copies: u32,
}

pub(super) enum Body {
    /// Text that more text can join.
    Literal(String),
    /// A sequence or alternation, which Go merges into an outer one.
    Sequence(Hir),
    Alternation(Hir),
    Other(Hir),
}

impl Node {
    pub(super) const fn leaf(hir: Hir) -> Self {
        Self { body: Body::Other(hir), height: 1, copies: 1 }
    }

    pub(super) fn into_hir(self) -> Hir {
        match self.body {
            Body::Literal(text) => Hir::literal(text.into_bytes()),
            Body::Sequence(hir) | Body::Alternation(hir) | Body::Other(hir) => hir,
        }
    }
}

pub(super) enum Kind {
    Outermost,
    Plain,
    Capturing(u32),
}

/// A group that is not closed yet.
pub(super) struct Group {
    pub(super) kind: Kind,
    /// The flags to return to when it closes.
    pub(super) flags: Flags,
    alternatives: Vec<Node>,
    pub(super) atoms: Vec<Node>,
}

impl Group {
    pub(super) const fn new(kind: Kind, flags: Flags) -> Self {
        Self { kind, flags, alternatives: Vec::new(), atoms: Vec::new() }
    }

    pub(super) fn push(&mut self, node: Node) {
        self.join_literals();
        self.atoms.push(node);
    }

    /// Joins the last two atoms if both are text. The last one stays alone until
    /// the next comes, because a repetition applies to it only.
    fn join_literals(&mut self) {
        if let [.., Node { body: Body::Literal(text), .. }, Node { body: Body::Literal(last), .. }] =
            self.atoms.as_mut_slice()
        {
            text.push_str(last);
            self.atoms.pop();
        }
    }

    pub(super) fn end_alternative(&mut self) -> Result<(), RegexError> {
        self.join_literals();
        let atoms = std::mem::take(&mut self.atoms);
        let in_sequence = |node: &Node| node.height + u32::from(!matches!(node.body, Body::Sequence(_)));
        self.alternatives.push(collect(atoms, in_sequence, |parts| Body::Sequence(Hir::concat(parts)))?);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Node, RegexError> {
        self.end_alternative()?;
        let in_alternation = |node: &Node| node.height + u32::from(!matches!(node.body, Body::Alternation(_)));
        let node = collect(self.alternatives, in_alternation, |parts| Body::Alternation(Hir::alternation(parts)))?;
        let Kind::Capturing(index) = self.kind else { return Ok(node) };
        let (height, copies) = (node.height + 1, node.copies);
        let sub = Box::new(node.into_hir());
        check_height(Node { body: Body::Other(Hir::capture(Capture { index, name: None, sub })), height, copies })
    }
}

fn collect(
    mut nodes: Vec<Node>,
    height_within: impl Fn(&Node) -> u32,
    body: impl FnOnce(Vec<Hir>) -> Body,
) -> Result<Node, RegexError> {
    if nodes.len() < 2 {
        return Ok(nodes.pop().unwrap_or_else(|| Node::leaf(Hir::empty())));
    }
    let height = nodes.iter().map(height_within).max().unwrap_or(1);
    let copies = nodes.iter().map(|node| node.copies).max().unwrap_or(1);
    let hirs = nodes.into_iter().map(Node::into_hir).collect();
    check_height(Node { body: body(hirs), height, copies })
}

pub(super) fn check_height(node: Node) -> Result<Node, RegexError> {
    if node.height > MAX_HEIGHT { Err(RegexError::TooDeep) } else { Ok(node) }
}

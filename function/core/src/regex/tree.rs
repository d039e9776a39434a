//! Builds the syntax tree of a pattern during parsing.
//!
//! Input: the atoms and alternatives of a group. Output: one node for the group. Nodes are merged like in Go, because
//! the limits of Go count the merged nodes.

use regex_syntax::hir::{Capture, Hir};

use super::RegexError;

/// Maximum height of the tree. The engine recurses over the tree, so a deep tree would exhaust the stack. Go allows
/// 1000.
const MAX_HEIGHT: u32 = 250;

#[derive(Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) fold_case: bool,
    pub(super) multi_line: bool,
    pub(super) dot_matches_newline: bool,
    pub(super) swap_greed: bool,
}

/// A node of the tree, with the numbers that the limits need.
pub(super) struct Node {
    pub(super) kind: NodeKind,
    /// The height of the node's tree, counted like Go.
    pub(super) height: u32,
    /// Maximum number of copies of its innermost node after expanding counted repetitions.
    pub(super) copies: u32,
}

/// The content of a node. The variants differ in how the node merges with its neighbours.
pub(super) enum NodeKind {
    /// Text. Adjacent texts are joined.
    Literal(String),
    /// A sequence. Go merges a sequence into an outer sequence.
    Sequence(Hir),
    /// An alternation. Go merges an alternation into an outer alternation.
    Alternation(Hir),
    Other(Hir),
}

impl Node {
    pub(super) const fn leaf(hir: Hir) -> Self {
        Self { kind: NodeKind::Other(hir), height: 1, copies: 1 }
    }

    pub(super) fn into_hir(self) -> Hir {
        match self.kind {
            NodeKind::Literal(text) => Hir::literal(text.into_bytes()),
            NodeKind::Sequence(hir) | NodeKind::Alternation(hir) | NodeKind::Other(hir) => hir,
        }
    }
}

/// The kind of a group.
pub(super) enum GroupKind {
    Outermost,
    Plain,
    /// Has the index of the group.
    Capturing(u32),
}

/// A group whose closing parenthesis has not been read yet.
pub(super) struct OpenGroup {
    pub(super) kind: GroupKind,
    /// The flags outside of the group, which apply again after it.
    pub(super) flags: Flags,
    alternatives: Vec<Node>,
    pub(super) atoms: Vec<Node>,
}

impl OpenGroup {
    pub(super) const fn new(kind: GroupKind, flags: Flags) -> Self {
        Self { kind, flags, alternatives: Vec::new(), atoms: Vec::new() }
    }

    pub(super) fn push(&mut self, node: Node) {
        self.join_literals();
        self.atoms.push(node);
    }

    /// Joins the last two atoms if both are text.
    ///
    /// A new atom is joined only when the next one arrives, because a repetition applies to the last atom alone.
    fn join_literals(&mut self) {
        if let [.., Node { kind: NodeKind::Literal(text), .. }, Node { kind: NodeKind::Literal(last), .. }] =
            self.atoms.as_mut_slice()
        {
            text.push_str(last);
            self.atoms.pop();
        }
    }

    pub(super) fn end_alternative(&mut self) -> Result<(), RegexError> {
        self.join_literals();
        let atoms = std::mem::take(&mut self.atoms);
        let in_sequence = |node: &Node| node.height + u32::from(!matches!(node.kind, NodeKind::Sequence(_)));
        self.alternatives.push(collect(atoms, in_sequence, |parts| NodeKind::Sequence(Hir::concat(parts)))?);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Node, RegexError> {
        self.end_alternative()?;
        let in_alternation = |node: &Node| node.height + u32::from(!matches!(node.kind, NodeKind::Alternation(_)));
        let node = collect(self.alternatives, in_alternation, |parts| NodeKind::Alternation(Hir::alternation(parts)))?;
        let GroupKind::Capturing(index) = self.kind else { return Ok(node) };
        let (height, copies) = (node.height + 1, node.copies);
        let sub = Box::new(node.into_hir());
        check_height(Node { kind: NodeKind::Other(Hir::capture(Capture { index, name: None, sub })), height, copies })
    }
}

fn collect(
    mut nodes: Vec<Node>,
    height_within: impl Fn(&Node) -> u32,
    kind: impl FnOnce(Vec<Hir>) -> NodeKind,
) -> Result<Node, RegexError> {
    if nodes.len() < 2 {
        return Ok(nodes.pop().unwrap_or_else(|| Node::leaf(Hir::empty())));
    }
    let height = nodes.iter().map(height_within).max().unwrap_or(1);
    let copies = nodes.iter().map(|node| node.copies).max().unwrap_or(1);
    let hirs = nodes.into_iter().map(Node::into_hir).collect();
    check_height(Node { kind: kind(hirs), height, copies })
}

/// Returns the node, or an error if its tree is too high.
pub(super) fn check_height(node: Node) -> Result<Node, RegexError> {
    if node.height > MAX_HEIGHT { Err(RegexError::TooDeep) } else { Ok(node) }
}

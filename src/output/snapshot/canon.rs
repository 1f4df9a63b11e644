//! Numbers for the nodes of a graph that follow from what the graph holds and
//! not from the order in which it was built.
//!
//! Colours are refined as Weisfeiler and Leman do it: a node's next colour is
//! its colour with those of its neighbours, edge by edge, until no class of
//! equal nodes falls apart any more. Nodes that are equal then can be swapped
//! without a visible change, so any order of them gives the same text.

use std::collections::BTreeMap;

/// A directed edge with a label.
pub(super) struct Edge<E> {
    pub(super) from: usize,
    pub(super) label: E,
    pub(super) to: usize,
}

/// A node: its content, its depth in its tree, and its parent.
pub(super) struct Node<N> {
    pub(super) content: N,
    pub(super) depth: usize,
    pub(super) parent: Option<usize>,
}

/// A rank for each node, all different; the content decides first.
pub(super) fn ranks<N: Ord, E: Ord>(nodes: &[Node<N>], edges: &[Edge<E>]) -> Vec<u32> {
    let labels = ranked(edges.iter().map(|edge| &edge.label));
    let mut sides: Vec<Vec<Side>> = nodes.iter().map(|_| Vec::new()).collect();
    for (edge, label) in edges.iter().zip(labels) {
        for (node, out, peer) in [(edge.from, true, edge.to), (edge.to, false, edge.from)] {
            if let Some(sides) = sides.get_mut(node) {
                sides.push(Side { label, out, peer });
            }
        }
    }
    let shape = Shape {
        depths: nodes.iter().map(|node| node.depth).collect(),
        parents: nodes.iter().map(|node| node.parent).collect(),
        sides,
    };
    let mut colours = ranked(nodes.iter().map(|node| (node.depth, &node.content)));
    loop {
        colours = shape.refine(colours);
        match shape.split(&colours) {
            Some(split) => colours = split,
            None => return colours,
        }
    }
}

/// One end of an edge, as the node there sees it.
struct Side {
    label: u32,
    out: bool,
    peer: usize,
}

struct Shape {
    depths: Vec<usize>,
    parents: Vec<Option<usize>>,
    sides: Vec<Vec<Side>>,
}

impl Shape {
    /// Refine until nothing falls apart any more.
    fn refine(&self, mut colours: Vec<u32>) -> Vec<u32> {
        let mut classes = count(&colours);
        loop {
            let keys = self.sides.iter().zip(&colours).map(|(sides, own)| {
                let seen = sides.iter().map(|side| {
                    let peer = colours.get(side.peer).copied().unwrap_or_default();
                    (side.label, side.out, peer)
                });
                let mut seen: Vec<(u32, bool, u32)> = seen.collect();
                seen.sort_unstable();
                (*own, seen)
            });
            let keys: Vec<_> = keys.collect();
            colours = ranked(keys.iter());
            let now = count(&colours);
            if now == classes {
                return colours;
            }
            classes = now;
        }
    }

    /// Distinguish nodes that look equal: those nearest to the root first, since
    /// what lies below follows from them. `None` if all are distinct.
    fn split(&self, colours: &[u32]) -> Option<Vec<u32>> {
        let mut classes: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (node, colour) in colours.iter().enumerate() {
            classes.entry(*colour).or_default().push(node);
        }
        let depth = |class: &&Vec<usize>| class.first().and_then(|node| self.depths.get(*node));
        let equal = classes.values().filter(|class| class.len() > 1);
        let class = equal.min_by_key(depth)?;
        let alone = |node: usize| {
            let colour = colours.get(node);
            colour.is_some_and(|colour| classes.get(colour).is_some_and(|all| all.len() == 1))
        };
        // Where no node outside distinguishes them, all are split at once; else
        // one is, and the others may follow from that.
        let free = class.iter().all(|node| {
            let sides = self.sides.get(*node).into_iter().flatten();
            let mut peers = sides.map(|side| side.peer);
            peers.all(|peer| alone(peer) || self.is_below(peer, *node))
        });
        let mut turn = vec![0; colours.len()];
        for (index, node) in class.iter().enumerate() {
            if let Some(turn) = turn.get_mut(*node) {
                *turn = if free { index } else { index.min(1) };
            }
        }
        let split: Vec<(u32, usize)> = colours.iter().copied().zip(turn).collect();
        Some(ranked(split.iter()))
    }

    /// Whether a node is another or lies below it.
    fn is_below(&self, node: usize, top: usize) -> bool {
        let up = |node: &usize| self.parents.get(*node).copied().flatten();
        std::iter::successors(Some(node), up).any(|node| node == top)
    }
}

/// The place of each key among the different ones.
fn ranked<K: Ord>(keys: impl Iterator<Item = K>) -> Vec<u32> {
    let keys: Vec<K> = keys.collect();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.sort_by_key(|index| keys.get(*index));
    let mut ranks = vec![0; keys.len()];
    let mut rank = 0;
    let mut before = None;
    for index in order {
        let key = keys.get(index);
        if before.is_some_and(|before| before != key) {
            rank += 1;
        }
        before = Some(key);
        if let Some(slot) = ranks.get_mut(index) {
            *slot = rank;
        }
    }
    ranks
}

/// How many different colours there are; they are numbered without gaps.
fn count(colours: &[u32]) -> usize {
    colours.iter().max().map_or(0, |most| *most as usize + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A root, two reapers below it, four orphans below the root; each reaper
    /// reaps two of them. `order` says in which order the orphans were born.
    fn reapers_and_orphans(reaps: [(usize, usize); 4]) -> Vec<(u32, u32)> {
        let node = |content, depth, parent| Node {
            content,
            depth,
            parent,
        };
        let mut nodes = vec![node("root", 0, None)];
        nodes.extend([1, 2].map(|_| node("reaper", 1, Some(0))));
        nodes.extend([3, 4, 5, 6].map(|_| node("orphan", 1, Some(0))));
        let mut edges = Vec::new();
        for to in 1..7 {
            edges.push(Edge {
                from: 0,
                label: "forks",
                to,
            });
        }
        for (from, to) in reaps {
            edges.push(Edge {
                from,
                label: "reaps",
                to,
            });
        }
        let ranks = ranks(&nodes, &edges);
        let mut reaps = reaps.map(|(from, to)| (ranks[from], ranks[to]));
        reaps.sort_unstable();
        reaps.to_vec()
    }

    #[test]
    fn equal_nodes_are_numbered_so_that_their_edges_are_the_same() {
        let one = reapers_and_orphans([(1, 3), (1, 4), (2, 5), (2, 6)]);
        let other = reapers_and_orphans([(1, 6), (2, 4), (2, 5), (1, 3)]);
        assert_eq!(one, other);
    }

    #[test]
    fn each_node_has_a_number_of_its_own() {
        let node = || Node {
            content: 0,
            depth: 0,
            parent: None,
        };
        let nodes: Vec<Node<u8>> = (0..2000).map(|_| node()).collect();
        let mut ranks = ranks::<u8, u8>(&nodes, &[]);
        ranks.sort_unstable();
        assert_eq!(ranks, (0..2000).collect::<Vec<u32>>());
    }
}

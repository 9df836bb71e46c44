//! The blocks of one engine's KV cache: who uses them, which are free, and which can be found again by what is in them.
//!
//! The rules are those of vLLM 0.32 (`v1/core/block_pool.py`). A block has as many users as requests hold it. One that is full of known
//! tokens has a name, the chain hash of all tokens up to its end, and keeps it when it is free: whoever asks for that name
//! has its contents again. Free blocks without a name are handed out first, then those whose last user left first; a request gives its
//! blocks back from its last to its first, so that ends of prompts are forgotten before their beginnings. A block that is handed out forgets
//! its name. Two blocks may have the same name, where two requests computed the same at once: either serves.
//!
//! Deliberately knows no request, no step and no time.

use std::collections::HashMap;

use foldhash::fast::FixedState;

/// The blocks of one engine.
#[derive(Clone, Debug)]
pub(super) struct Blocks {
    /// Tokens in a block.
    size: u32,
    /// How many blocks there are to hand out.
    total: u32,
    /// How many of them have no user.
    free: u32,
    /// Those that were ever handed out. The others are free, and have no name.
    known: Vec<Block>,
    /// Free and without a name.
    nameless: Vec<u32>,
    /// Free and with a name, from `oldest` to `newest`.
    oldest: u32,
    newest: u32,
    /// The first of the blocks with a name.
    names: HashMap<u64, u32, FixedState>,
}

#[derive(Clone, Copy, Debug)]
struct Block {
    users: u32,
    name: Option<u64>,
    /// Its neighbours among the free blocks with a name. `NONE` at both ends, and while it is in use.
    queue: Link,
    /// Its neighbours in the ring of blocks with the same name.
    twins: Link,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    before: u32,
    after: u32,
}

impl Blocks {
    /// As many free blocks of `size` tokens.
    pub(super) fn new(total: u32, size: u32) -> Self {
        Self {
            size,
            total,
            free: total,
            known: Vec::new(),
            nameless: Vec::new(),
            oldest: NONE,
            newest: NONE,
            names: HashMap::default(),
        }
    }

    /// Blocks without a user, whether they have a name or not.
    pub(super) const fn free(&self) -> u32 {
        self.free
    }

    /// Blocks with a user.
    pub(super) const fn used(&self) -> u32 {
        self.total - self.free
    }

    /// Blocks for that many tokens.
    pub(super) const fn holding(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.size)
    }

    /// Blocks for that many tokens, beside those that are held. Mostly none, which is known without a division.
    pub(super) fn lacking(&self, tokens: u32, held: &[u32]) -> u32 {
        match held.len() as u64 * u64::from(self.size) >= u64::from(tokens) {
            true => 0,
            false => self.holding(tokens) - held.len() as u32,
        }
    }

    /// Blocks that are full when there are that many tokens.
    pub(super) const fn filled(&self, tokens: u32) -> u32 {
        tokens / self.size
    }

    /// Blocks of the beginning of `names` that can be found, without a gap.
    pub(super) fn found<'b>(&'b self, names: &'b [u64]) -> impl Iterator<Item = u32> + 'b {
        names.iter().map_while(|name| self.names.get(name).copied())
    }

    /// Whether nobody uses it.
    pub(super) fn is_free(&self, block: u32) -> bool {
        self.known[block as usize].users == 0
    }

    /// Another request uses a block that was found.
    pub(super) fn share(&mut self, block: u32) {
        if self.is_free(block) {
            self.leave_queue(block);
            self.free -= 1;
        }
        self.known[block as usize].users += 1;
    }

    /// Hands out `count` blocks, of which there are enough free.
    pub(super) fn take(&mut self, count: u32, held: &mut Vec<u32>) {
        debug_assert!(count <= self.free, "{count} blocks are asked of {} free ones", self.free);
        for _ in 0..count {
            let block = self.next_free();
            self.known[block as usize].users = 1;
            held.push(block);
        }
        self.free -= count;
    }

    /// A block is full of tokens that are known.
    pub(super) fn name(&mut self, block: u32, name: u64) {
        if self.known[block as usize].name == Some(name) {
            return;
        }
        self.forget(block);
        let own = &mut self.known[block as usize];
        own.name = Some(name);
        own.twins = Link { before: block, after: block };
        match self.names.get(&name) {
            None => {
                self.names.insert(name, block);
            }
            Some(&first) => self.join(block, first),
        }
    }

    /// A request leaves all blocks that it holds.
    pub(super) fn give_back(&mut self, held: &mut Vec<u32>) {
        for block in held.drain(..).rev() {
            let own = &mut self.known[block as usize];
            own.users -= 1;
            if own.users > 0 {
                continue;
            }
            self.free += 1;
            match own.name {
                None => self.nameless.push(block),
                Some(_) => self.enter_queue(block),
            }
        }
    }

    /// Takes all names away, unless a block is in use. Whether it did.
    pub(super) fn forget_all(&mut self) -> bool {
        let unused = self.free == self.total;
        if unused {
            *self = Self::new(self.total, self.size);
        }
        unused
    }

    fn next_free(&mut self) -> u32 {
        if let Some(block) = self.nameless.pop() {
            return block;
        }
        let fresh = self.known.len() as u32;
        if fresh < self.total {
            let (queue, twins) = (ALONE, ALONE);
            self.known.push(Block { users: 0, name: None, queue, twins });
            return fresh;
        }
        let block = self.oldest;
        self.leave_queue(block);
        self.forget(block);
        block
    }

    fn enter_queue(&mut self, block: u32) {
        self.known[block as usize].queue = Link { before: self.newest, after: NONE };
        match self.newest {
            NONE => self.oldest = block,
            newest => self.known[newest as usize].queue.after = block,
        }
        self.newest = block;
    }

    fn leave_queue(&mut self, block: u32) {
        let Link { before, after } =
            std::mem::replace(&mut self.known[block as usize].queue, ALONE);
        match before {
            NONE => self.oldest = after,
            before => self.known[before as usize].queue.after = after,
        }
        match after {
            NONE => self.newest = before,
            after => self.known[after as usize].queue.before = before,
        }
    }

    /// Puts a block into the ring of `first`, as its last.
    fn join(&mut self, block: u32, first: u32) {
        let last = self.known[first as usize].twins.before;
        self.known[block as usize].twins = Link { before: last, after: first };
        self.known[last as usize].twins.after = block;
        self.known[first as usize].twins.before = block;
    }

    fn forget(&mut self, block: u32) {
        let Some(name) = self.known[block as usize].name.take() else { return };
        let Link { before, after } =
            std::mem::replace(&mut self.known[block as usize].twins, ALONE);
        if after == block {
            self.names.remove(&name);
            return;
        }
        self.known[before as usize].twins.after = after;
        self.known[after as usize].twins.before = before;
        if let Some(first) = self.names.get_mut(&name).filter(|first| **first == block) {
            *first = after;
        }
    }
}

/// No block.
const NONE: u32 = u32::MAX;

const ALONE: Link = Link { before: NONE, after: NONE };

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(blocks: &mut Blocks, names: &[u64]) -> Vec<u32> {
        let mut held = Vec::new();
        blocks.take(names.len() as u32, &mut held);
        for (block, name) in held.iter().zip(names) {
            blocks.name(*block, *name);
        }
        held
    }

    fn found(blocks: &Blocks, names: &[u64]) -> usize {
        blocks.found(names).count()
    }

    #[test]
    fn a_freed_block_is_found_by_its_name_until_it_is_handed_out() {
        let mut blocks = Blocks::new(2, 16);
        let mut held = taken(&mut blocks, &[7]);
        blocks.give_back(&mut held);
        assert_eq!((blocks.free(), found(&blocks, &[7])), (2, 1));
        let _both = taken(&mut blocks, &[8, 9]);
        assert_eq!(found(&blocks, &[7]), 0);
    }

    #[test]
    fn ends_are_forgotten_before_beginnings() {
        let mut blocks = Blocks::new(4, 16);
        let mut held = taken(&mut blocks, &[1, 2, 3]);
        blocks.give_back(&mut held);
        // One is fresh, the other is the end of what was given back.
        let _other = taken(&mut blocks, &[8, 9]);
        assert_eq!(found(&blocks, &[1, 2, 3]), 2);
    }

    #[test]
    fn a_shared_block_is_free_when_its_last_user_has_left() {
        let mut blocks = Blocks::new(3, 16);
        let mut one = taken(&mut blocks, &[1]);
        let mut other = vec![one[0]];
        blocks.share(one[0]);
        blocks.give_back(&mut one);
        assert_eq!(blocks.used(), 1);
        blocks.give_back(&mut other);
        assert_eq!(blocks.used(), 0);
    }

    #[test]
    fn a_block_that_is_found_while_free_is_not_handed_out() {
        let mut blocks = Blocks::new(2, 16);
        let mut held = taken(&mut blocks, &[1]);
        blocks.give_back(&mut held);
        let block = blocks.found(&[1]).next().unwrap();
        blocks.share(block);
        let other = taken(&mut blocks, &[2]);
        assert_ne!(other[0], block);
        assert_eq!((blocks.free(), found(&blocks, &[1])), (0, 1));
    }

    #[test]
    fn a_name_is_forgotten_with_the_last_block_that_has_it() {
        let mut blocks = Blocks::new(3, 16);
        let mut all = taken(&mut blocks, &[5, 5, 5]);
        blocks.give_back(&mut all);
        let _one = taken(&mut blocks, &[6]);
        assert_eq!(found(&blocks, &[5]), 1);
        let _two = taken(&mut blocks, &[7]);
        assert_eq!(found(&blocks, &[5]), 1);
        let _three = taken(&mut blocks, &[8]);
        assert_eq!(found(&blocks, &[5]), 0);
    }

    #[test]
    fn nothing_is_forgotten_while_a_block_is_in_use() {
        let mut blocks = Blocks::new(2, 16);
        let mut held = taken(&mut blocks, &[1]);
        assert!(!blocks.forget_all());
        blocks.give_back(&mut held);
        assert!(blocks.forget_all());
        assert_eq!((blocks.free(), found(&blocks, &[1])), (2, 0));
    }

    /// The same rules told in the plainest way: a list of free blocks, and a search for each name.
    #[derive(Default)]
    struct Plain {
        users: Vec<u32>,
        names: Vec<Option<u64>>,
        free: Vec<usize>,
    }

    impl Plain {
        fn finds(&self, name: u64) -> bool {
            self.names.contains(&Some(name))
        }
    }

    proptest! {
        #[test]
        fn the_pool_finds_what_a_plain_list_finds(
            asks in prop::collection::vec((0_u64..6, 1_u64..5, any::<bool>()), 1..60)
        ) {
            let mut blocks = Blocks::new(8, 1);
            let mut plain = Plain { users: vec![0; 8], names: vec![None; 8], free: (0..8).collect() };
            // What each holder has, in the pool and in the list.
            let mut holders: Vec<(Vec<u32>, Vec<usize>)> = Vec::new();
            for (family, length, leave) in asks {
                if leave && !holders.is_empty() {
                    let (mut held, listed) = holders.remove(family as usize % holders.len());
                    blocks.give_back(&mut held);
                    for block in listed.into_iter().rev() {
                        plain.users[block] -= 1;
                        if plain.users[block] == 0 {
                            match plain.names[block] {
                                None => plain.free.insert(0, block),
                                Some(_) => plain.free.push(block),
                            }
                        }
                    }
                } else {
                    let names: Vec<u64> = (0..length).map(|depth| family / 2 * 10 + depth).collect();
                    let shared: Vec<u32> = blocks.found(&names).collect();
                    let expected = names.iter().take_while(|name| plain.finds(**name)).count();
                    prop_assert_eq!(shared.len(), expected);
                    let fresh = names.len() - expected;
                    let evictable = shared.iter().filter(|block| blocks.is_free(**block)).count();
                    if fresh + evictable > blocks.free() as usize {
                        continue;
                    }
                    let (mut held, mut listed) = (shared.clone(), Vec::new());
                    shared.iter().for_each(|block| blocks.share(*block));
                    for name in &names[..expected] {
                        let block = (0..8).filter(|block| plain.names[*block] == Some(*name));
                        // Which of several equal ones is of no consequence as long as both choose alike.
                        let block = block.min_by_key(|block| held[listed.len()] != *block as u32).unwrap();
                        plain.free.retain(|free| *free != block);
                        plain.users[block] += 1;
                        listed.push(block);
                    }
                    blocks.take(fresh as u32, &mut held);
                    for (depth, name) in names.iter().enumerate().skip(expected) {
                        // Blocks without a name are all alike: the list takes the one that the pool took.
                        let wanted = held[depth] as usize;
                        let first = plain.free[0];
                        let chosen = match plain.names[first] {
                            None => {
                                prop_assert_eq!(plain.names[wanted], None);
                                wanted
                            }
                            Some(_) => first,
                        };
                        prop_assert_eq!(chosen, wanted);
                        plain.free.retain(|free| *free != chosen);
                        plain.users[chosen] = 1;
                        // The last block of each is left unfilled.
                        plain.names[chosen] = (depth + 1 < names.len()).then_some(*name);
                        if depth + 1 < names.len() {
                            blocks.name(held[depth], *name);
                        }
                        listed.push(chosen);
                    }
                    holders.push((held, listed));
                }
                prop_assert_eq!(blocks.free() as usize, plain.free.len());
                prop_assert_eq!(blocks.free() + blocks.used(), 8);
            }
        }
    }
}

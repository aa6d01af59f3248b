/* The lease protocol: what is submitted is folded once and in the end done, although a worker, the broker and
 * the aggregator die, and messages are lost, repeated or late.
 *
 * One sweep of two blocks, two workers. Blocks are bits: 1, 2, or 3 for both as one part of level 1.
 * Messages and states have the names of the enums in proto/message.h, worker/session.c and
 * aggregator/catalog.h; tests/spin/check makes sure that they are there. Left out: sizes of leases beyond one
 * and both blocks, room for more than one lease, populations, shares, parking, stores that are lost, late
 * leases that are recalled or lent once more (a copy is what a lapse leaves here: two workers at one block).
 *
 * Faults: WORKER_DEATHS, BROKER_DEATHS, AGGREGATOR_DEATHS (each program dies so often; a worker comes back or
 * does not), and TROUBLES: a message is lost or comes twice, a lease lapses while its worker is at work, or
 * time passes for one program alone. They happen to worker 0: the other is its like.
 *
 * A step of a process is one step here, as a step of a core with its effects is. Sends never wait: what does
 * not fit is lost. Otherwise time passes when nothing is under way but computing, for one program after the
 * other; everybody gets at most OVERTAKEN turns while a part is computed. So each wait is bounded, and
 * nothing is asked of the scheduler: whatever it does, the sweep is done in the end.
 *
 * Planted mistakes, to see that they are found: MISTAKE_TELL_EARLY (the aggregator answers before it has
 * committed), MISTAKE_FOLD_AGAIN (it does not recognise duplicates), MISTAKE_KEEP_NOTHING (the broker answers
 * a SUBMIT before it has committed), MISTAKE_NO_LAPSE (leases never lapse), MISTAKE_DONE_AT_ONCE (a worker
 * reports DONE without waiting for FOLDED). */

#define WORKERS   2
#define BLOCKS    3 /* both */
#define QUEUE     2
#define OVERTAKEN 1
#define PATIENCE  3 /* turns of the broker without a heartbeat that names a lease; then it lapses */

mtype = { MESSAGE_HELLO, MESSAGE_WELCOME, MESSAGE_STRANGER, MESSAGE_HEARTBEAT, MESSAGE_DONE, MESSAGE_FAILED,
          MESSAGE_LEASE, MESSAGE_CANCEL, MESSAGE_PARTIAL, MESSAGE_FOLDED, MESSAGE_SUBMIT, MESSAGE_ACCEPTED,
          MESSAGE_HELD, MESSAGE_WANTED, MESSAGE_FETCH, MESSAGE_ITEM };
mtype = { FOLD_NEW, FOLD_DUPLICATE, FOLD_OVERLAP, FOLD_UNKNOWN_SWEEP };
mtype = { CAUSE_OVERLAP, CAUSE_SHUTDOWN };
mtype = { SWEEP_RUNNING, SWEEP_DONE };
mtype = { LINK_SILENT, LINK_GREETED, LINK_REGISTERED };
mtype = { PART_FREE, PART_COMPUTING, PART_READY, PART_SENT };
mtype = { ENTRY_NAMED, ENTRY_READY };

/* Connections. `instance` is of the program that opened it: an answer to an earlier one gets lost. */
chan worker_broker[WORKERS] = [QUEUE] of { mtype, byte, byte, byte, mtype }; /* instance, token, blocks, cause */
chan broker_worker[WORKERS] = [QUEUE] of { mtype, byte, byte };              /* token, blocks */
chan worker_aggregator[WORKERS] = [QUEUE] of { mtype, byte, byte };          /* instance, blocks */
chan aggregator_worker[WORKERS] = [QUEUE] of { mtype, mtype, byte };         /* outcome, blocks */
chan aggregator_broker = [QUEUE] of { mtype, byte, byte, bool };             /* instance, blocks, complete */
chan broker_aggregator = [QUEUE] of { mtype };
chan client_broker = [QUEUE] of { mtype };
chan broker_client = [QUEUE] of { mtype };

byte troubles = TROUBLES;
byte worker_deaths = WORKER_DEATHS, broker_deaths = BROKER_DEATHS, aggregator_deaths = AGGREGATOR_DEATHS;

#define SEND(queue, message)                                                                                          \
    if                                                                                                                \
    :: nfull(queue) -> queue!message                                                                                  \
    :: full(queue) -> skip                                                                                            \
    fi

/* Workers */
byte instance[WORKERS];
bool alive[WORKERS];
mtype link[WORKERS];
byte lease_token[WORKERS], lease_blocks[WORKERS]; /* 0: no lease */
mtype part[WORKERS];
byte part_token[WORKERS], part_blocks[WORKERS];

/* The broker; kept_: on disk */
bool sweep_known, kept_sweep;
mtype sweep_state = SWEEP_RUNNING, kept_state = SWEEP_RUNNING;
byte done, kept_done;
bool single; /* blocks are to be lent one by one */
bool narrow; /* leases are of one block now: what is measured changes it */
byte peer[WORKERS]; /* instance that said HELLO, plus 1; 0: nobody */
byte lent_token[WORKERS], lent_blocks[WORKERS], missed[WORKERS];
bool room[WORKERS]; /* it takes a lease */
byte aggregator_peer; /* instance plus 1; 0: nobody */

/* The aggregator; stored_: on disk */
byte aggregator_instance;
bool registered;
mtype entry = ENTRY_NAMED, stored_entry = ENTRY_NAMED;
byte fold, stored_fold;
byte tally[WORKERS], stored_tally[WORKERS]; /* how often each of the two blocks was counted */
bool result, stored_result;
bool uncommitted;
mtype answer[WORKERS]; /* waits for the commit; 0: none */
byte answer_instance[WORKERS], answer_blocks[WORKERS];

/* What was promised */
bool accepted, finished;
byte acknowledged;

#define EMPTY(queues) (empty(queues[0]) && empty(queues[1]))
#define LACKS(all, some) ((some) & ((all) ^ BLOCKS))

/* Nothing is counted twice; nobody is told what is not on disk; no block is lent twice. */
inline check_promises()
{
    assert(tally[0] <= 1 && tally[1] <= 1 && stored_tally[0] <= 1 && stored_tally[1] <= 1);
    assert(LACKS(stored_fold, acknowledged) == 0);
    assert(LACKS(stored_fold, done) == 0 && LACKS(stored_fold, kept_done) == 0);
    assert(sweep_state != SWEEP_DONE || (stored_fold == BLOCKS && stored_result));
    assert(!accepted || kept_sweep);
    assert((lent_blocks[0] & lent_blocks[1]) == 0)
}

/* ---- workers ---- */

inline hello(w)
{
    link[w] = LINK_GREETED;
    SEND(worker_broker[w], MESSAGE_HELLO(instance[w], 0, 0, 0))
}

inline beat(w)
{
    SEND(worker_broker[w], MESSAGE_HEARTBEAT(instance[w], lease_token[w], 0, 0))
}

inline send_part(w)
{
    part[w] = PART_SENT;
    SEND(worker_aggregator[w], MESSAGE_PARTIAL(instance[w], part_blocks[w]))
}

inline report_done()
{
    SEND(worker_broker[me], MESSAGE_DONE(instance[me], part_token[me], part_blocks[me], 0))
}

/* The lease and its one part end together. */
inline settle()
{
    part[me] = PART_FREE;
    part_token[me] = 0;
    part_blocks[me] = 0;
    lease_token[me] = 0;
    lease_blocks[me] = 0
}

/* It dies with all that it knew; what it has sent may still arrive. */
inline die()
{
    worker_deaths--;
    settle();
    link[me] = LINK_SILENT;
    instance[me]++;
    do
    :: broker_worker[me]?_,_,_
    :: aggregator_worker[me]?_,_,_
    :: empty(broker_worker[me]) && empty(aggregator_worker[me]) -> break
    od; skip
}

proctype Worker(byte me) provided (!finished)
{
    mtype kind, outcome;
    byte token, blocks;
end:
    do
    :: d_step { !alive[me] && nempty(broker_worker[me]) -> broker_worker[me]?_,_,_ }
    :: d_step { alive[me] && nempty(broker_worker[me]) ->
           broker_worker[me]?kind,token,blocks;
           if
           :: kind == MESSAGE_WELCOME && link[me] != LINK_REGISTERED -> link[me] = LINK_REGISTERED; beat(me)
           :: kind == MESSAGE_STRANGER && link[me] == LINK_REGISTERED -> hello(me)
           :: kind == MESSAGE_LEASE && lease_token[me] == 0 ->
              lease_token[me] = token;
              lease_blocks[me] = blocks;
              part[me] = PART_COMPUTING;
              part_token[me] = token;
              part_blocks[me] = blocks
           :: kind == MESSAGE_LEASE && lease_token[me] != 0 && lease_token[me] != token ->
              SEND(worker_broker[me], MESSAGE_FAILED(instance[me], token, blocks, CAUSE_SHUTDOWN))
           :: kind == MESSAGE_CANCEL -> settle()
           :: else -> skip
           fi;
           kind = 0; token = 0; blocks = 0 }
    :: d_step { alive[me] && part[me] == PART_COMPUTING ->
           part[me] = PART_READY;
#ifdef MISTAKE_DONE_AT_ONCE
           report_done();
#endif
           send_part(me) }
    :: d_step { alive[me] && nempty(aggregator_worker[me]) ->
           aggregator_worker[me]?kind,outcome,blocks;
           if
           :: part[me] != PART_SENT || part_blocks[me] != blocks -> skip /* the answer to a part sent twice */
           :: else ->
              if
              :: outcome == FOLD_NEW || outcome == FOLD_DUPLICATE ->
                 acknowledged = acknowledged | blocks;
                 report_done();
                 settle()
              :: outcome == FOLD_OVERLAP ->
                 SEND(worker_broker[me], MESSAGE_FAILED(instance[me], part_token[me], blocks, CAUSE_OVERLAP));
                 settle()
              :: outcome == FOLD_UNKNOWN_SWEEP -> skip /* sent again soon */
              fi
           fi;
           kind = 0; outcome = 0; blocks = 0;
           check_promises() }
    :: d_step { me == 0 && alive[me] && worker_deaths > 0 -> die() }
    :: d_step { me == 0 && alive[me] && worker_deaths > 0 -> die(); alive[me] = false } /* for good */
    od
}

/* ---- the broker ---- */

inline end_lease(w)
{
    lent_token[w] = 0;
    lent_blocks[w] = 0;
    missed[w] = 0
}

inline welcome(w)
{
    SEND(broker_worker[w], MESSAGE_WELCOME(0, 0))
}

inline want()
{
    if
    :: aggregator_peer != 0 && sweep_known && sweep_state == SWEEP_RUNNING -> SEND(broker_aggregator, MESSAGE_WANTED)
    :: else -> skip
    fi
}

/* A token is new when nobody and no message has it: what everybody has forgotten may come again. */
#define REMEMBERED(t)                                                                                                 \
    (lent_token[0] == t || lent_token[1] == t || lease_token[0] == t || lease_token[1] == t || part_token[0] == t ||  \
     part_token[1] == t || worker_broker[0]??[_, _, eval(t), _, _] || worker_broker[1]??[_, _, eval(t), _, _] ||      \
     broker_worker[0]??[_, eval(t), _] || broker_worker[1]??[_, eval(t), _])

/* Lends what is ready to a worker that takes a lease: both blocks, or one. */
inline lend(w)
{
    blocks = LACKS(done | lent_blocks[0] | lent_blocks[1], BLOCKS);
    if
    :: room[w] && peer[w] != 0 && lent_token[w] == 0 && sweep_known && sweep_state == SWEEP_RUNNING && blocks != 0 ->
       if
       :: blocks == BLOCKS && (single || narrow) -> blocks = 1
       :: else -> skip
       fi;
       token = 1;
       do
       :: REMEMBERED(token) -> token++
       :: else -> break
       od;
       lent_token[w] = token;
       lent_blocks[w] = blocks;
       room[w] = false;
       SEND(broker_worker[w], MESSAGE_LEASE(lent_token[w], blocks))
    :: else -> skip
    fi
}

inline recall(w)
{
    if
    :: lent_token[w] != 0 && sweep_state == SWEEP_DONE ->
       SEND(broker_worker[w], MESSAGE_CANCEL(0, 0));
       end_lease(w)
    :: else -> skip
    fi
}

inline pump()
{
    recall(0);
    recall(1);
    lend(0);
    lend(1);
    kind = 0; from = 0; token = 0; blocks = 0; cause = 0; complete = false;
    check_promises()
}

/* What is done may wait for the next commit. */
inline commit_journal()
{
    kept_sweep = sweep_known;
    kept_state = sweep_state;
    kept_done = done
}

inline take_from_worker(w)
{
    if
    :: kind == MESSAGE_HELLO ->
       if
       :: peer[w] != from + 1 -> end_lease(w); peer[w] = from + 1
       :: else -> skip
       fi;
       room[w] = false;
       welcome(w)
    :: kind != MESSAGE_HELLO && peer[w] != from + 1 -> /* an earlier start has no socket any more */
       if
       :: from == instance[w] -> SEND(broker_worker[w], MESSAGE_STRANGER(0, 0))
       :: else -> skip
       fi
    :: kind == MESSAGE_HEARTBEAT && peer[w] == from + 1 ->
       room[w] = token == 0;
       if
       :: token != 0 && token == lent_token[w] -> missed[w] = 0
       :: else -> skip
       fi
    :: kind == MESSAGE_DONE && peer[w] == from + 1 ->
       if
       :: sweep_known && sweep_state == SWEEP_RUNNING -> commit_journal(); done = done | blocks /* late or not */
       :: else -> skip
       fi;
       if
       :: token == lent_token[w] && LACKS(done, lent_blocks[w]) == 0 -> end_lease(w)
       :: else -> skip
       fi;
       room[w] = true
    :: kind == MESSAGE_FAILED && peer[w] == from + 1 ->
       if
       :: token == lent_token[w] -> end_lease(w); single = single || cause == CAUSE_OVERLAP
       :: else -> skip
       fi;
       room[w] = cause == CAUSE_OVERLAP
    fi
}

inline take_from_aggregator()
{
    if
    :: kind == MESSAGE_HELLO -> aggregator_peer = from + 1; SEND(broker_aggregator, MESSAGE_WELCOME); want()
    :: kind == MESSAGE_FETCH && sweep_known -> SEND(broker_aggregator, MESSAGE_ITEM)
    :: kind == MESSAGE_FETCH && !sweep_known -> skip
    :: kind == MESSAGE_HELD && aggregator_peer != from + 1 -> SEND(broker_aggregator, MESSAGE_STRANGER)
    :: kind == MESSAGE_HELD && aggregator_peer == from + 1 && sweep_known ->
       commit_journal();
       done = done | blocks;
       if
       :: complete && sweep_state == SWEEP_RUNNING -> sweep_state = SWEEP_DONE; commit_journal()
       :: else -> skip
       fi
    :: kind == MESSAGE_HELD && aggregator_peer == from + 1 && !sweep_known -> skip
    fi
}

inline take_from_client()
{
    if
    :: kind == MESSAGE_SUBMIT ->
       if
       :: !sweep_known ->
          sweep_known = true;
#ifndef MISTAKE_KEEP_NOTHING
          commit_journal();
#endif
          want()
       :: else -> skip
       fi;
       SEND(broker_client, MESSAGE_ACCEPTED)
    fi
}

inline lapse(w)
{
    if
    :: lent_token[w] != 0 -> missed[w]++
    :: else -> skip
    fi;
#ifndef MISTAKE_NO_LAPSE
    if
    :: missed[w] == PATIENCE -> end_lease(w); room[w] = false
    :: else -> skip
    fi
#endif
}

/* It comes back with what is on disk. What was on its way to it may be lost, and what it sent. */
inline restart_broker()
{
    broker_deaths--;
    sweep_known = kept_sweep;
    sweep_state = kept_state;
    done = kept_done;
    single = false;
    end_lease(0);
    end_lease(1);
    peer[0] = 0; peer[1] = 0; aggregator_peer = 0;
    room[0] = false; room[1] = false;
}

inline cut_broker_off()
{
    do
    :: worker_broker[0]?_,_,_,_,_
    :: worker_broker[1]?_,_,_,_,_
    :: aggregator_broker?_,_,_,_
    :: client_broker?_
    :: broker_worker[0]?_,_,_
    :: broker_worker[1]?_,_,_
    :: broker_aggregator?_
    :: broker_client?_
    :: EMPTY(worker_broker) && EMPTY(broker_worker) && empty(aggregator_broker) && empty(client_broker) &&
       empty(broker_aggregator) && empty(broker_client) -> break
    od; skip
}

proctype Broker() provided (!finished)
{
    mtype kind, cause;
    byte from, token, blocks;
    bool complete;
end:
    do
    :: d_step { worker_broker[0]?kind,from,token,blocks,cause -> take_from_worker(0); pump() }
    :: d_step { worker_broker[1]?kind,from,token,blocks,cause -> take_from_worker(1); pump() }
    :: d_step { aggregator_broker?kind,from,blocks,complete -> take_from_aggregator(); pump() }
    :: d_step { client_broker?kind -> take_from_client(); pump() }
    :: d_step { broker_deaths > 0 -> restart_broker() }
    :: d_step { broker_deaths > 0 -> restart_broker(); cut_broker_off() }
    od
}

/* ---- the aggregator ---- */

inline tell(w, outcome, whom, what)
{
    if
    :: whom == instance[w] && alive[w] -> SEND(aggregator_worker[w], MESSAGE_FOLDED(outcome, what))
    :: else -> skip
    fi
}

inline fetch()
{
    SEND(aggregator_broker, MESSAGE_FETCH(aggregator_instance, 0, false))
}

inline take_node()
{
    fold = fold | blocks;
    tally[0] = tally[0] + (blocks & 1);
    tally[1] = tally[1] + (blocks >> 1);
    uncommitted = true
}

inline answer_later(w, outcome)
{
    answer[w] = outcome;
    answer_instance[w] = from;
    answer_blocks[w] = blocks
}

inline take_partial(w)
{
    if
    :: entry != ENTRY_READY -> tell(w, FOLD_UNKNOWN_SWEEP, from, blocks); fetch()
#ifdef MISTAKE_FOLD_AGAIN
    :: entry == ENTRY_READY -> take_node(); answer_later(w, FOLD_NEW)
#else
    :: entry == ENTRY_READY && (fold & blocks) == 0 -> take_node(); answer_later(w, FOLD_NEW)
    :: entry == ENTRY_READY && LACKS(fold, blocks) == 0 -> answer_later(w, FOLD_DUPLICATE)
    :: entry == ENTRY_READY && (fold & blocks) != 0 && LACKS(fold, blocks) != 0 -> tell(w, FOLD_OVERLAP, from, blocks)
#endif
    fi;
#ifdef MISTAKE_TELL_EARLY
    send_answer(w);
#endif
    kind = 0; from = 0; blocks = 0;
    check_promises()
}

inline send_answer(w)
{
    if
    :: answer[w] -> tell(w, answer[w], answer_instance[w], answer_blocks[w])
    :: else -> skip
    fi;
    answer[w] = 0;
    answer_instance[w] = 0;
    answer_blocks[w] = 0
}

/* Partials merge only with what is held; the table is made once all is on disk. */
inline flush()
{
    stored_entry = entry;
    stored_fold = fold;
    stored_tally[0] = tally[0];
    stored_tally[1] = tally[1];
    stored_result = result;
    uncommitted = false;
    send_answer(0);
    send_answer(1);
    check_promises()
}

inline report()
{
    SEND(aggregator_broker, MESSAGE_HELD(aggregator_instance, stored_fold, stored_result))
}

inline restart_aggregator()
{
    aggregator_deaths--;
    aggregator_instance++;
    registered = false;
    entry = stored_entry;
    fold = stored_fold;
    tally[0] = stored_tally[0];
    tally[1] = stored_tally[1];
    result = stored_result;
    uncommitted = false;
    answer[0] = 0; answer_instance[0] = 0; answer_blocks[0] = 0;
    answer[1] = 0; answer_instance[1] = 0; answer_blocks[1] = 0;
}

inline cut_aggregator_off()
{
    do
    :: worker_aggregator[0]?_,_,_
    :: worker_aggregator[1]?_,_,_
    :: broker_aggregator?_
    :: EMPTY(worker_aggregator) && empty(broker_aggregator) -> break
    od; skip
}

proctype Aggregator() provided (!finished)
{
    mtype kind;
    byte from, blocks;
end:
    do
    :: d_step { !answer[0] && nempty(worker_aggregator[0]) -> worker_aggregator[0]?kind,from,blocks; take_partial(0) }
    :: d_step { !answer[1] && nempty(worker_aggregator[1]) -> worker_aggregator[1]?kind,from,blocks; take_partial(1) }
    :: d_step { broker_aggregator?kind ->
           if
           :: kind == MESSAGE_WELCOME -> registered = true; report()
           :: kind == MESSAGE_STRANGER ->
              registered = false;
              SEND(aggregator_broker, MESSAGE_HELLO(aggregator_instance, 0, false))
           :: kind == MESSAGE_WANTED && entry == ENTRY_NAMED -> fetch()
           :: kind == MESSAGE_ITEM && entry == ENTRY_NAMED -> entry = ENTRY_READY; uncommitted = true
           :: else -> skip
           fi;
           kind = 0 }
    :: d_step { uncommitted || answer[0] || answer[1] -> flush() }
    :: d_step { !uncommitted && stored_fold == BLOCKS && !stored_result -> result = true; flush(); report() }
    :: d_step { aggregator_deaths > 0 -> restart_aggregator() }
    :: d_step { aggregator_deaths > 0 -> restart_aggregator(); cut_aggregator_off() }
    od
}

/* ---- the network ---- */

#define LOSE(queue, ...) d_step { troubles > 0 && nempty(queue) -> troubles--; queue?__VA_ARGS__ }

/* The first message in a queue gets lost, or comes once more behind the others. */
proctype Network() provided (!finished)
{
    mtype kind, cause;
    byte from, token, blocks;
    bool complete;
end:
    do
    :: LOSE(worker_broker[0], _, _, _, _, _)
    :: LOSE(broker_worker[0], _, _, _)
    :: LOSE(worker_aggregator[0], _, _, _)
    :: LOSE(aggregator_worker[0], _, _, _)
    :: LOSE(aggregator_broker, _, _, _, _)
    :: LOSE(broker_aggregator, _)
    :: LOSE(client_broker, _)
    :: LOSE(broker_client, _)
    :: d_step { troubles > 0 && len(worker_broker[0]) == 1 ->
           troubles--;
           worker_broker[0]?<kind,from,token,blocks,cause>;
           worker_broker[0]!kind,from,token,blocks,cause;
           kind = 0; from = 0; token = 0; blocks = 0; cause = 0 }
    :: d_step { troubles > 0 && len(broker_worker[0]) == 1 ->
           troubles--;
           broker_worker[0]?<kind,token,blocks>;
           broker_worker[0]!kind,token,blocks;
           kind = 0; token = 0; blocks = 0 }
    :: d_step { troubles > 0 && len(worker_aggregator[0]) == 1 ->
           troubles--;
           worker_aggregator[0]?<kind,from,blocks>;
           worker_aggregator[0]!kind,from,blocks;
           kind = 0; from = 0; blocks = 0 }
    :: d_step { troubles > 0 && len(aggregator_worker[0]) == 1 ->
           troubles--;
           aggregator_worker[0]?<kind,cause,blocks>;
           aggregator_worker[0]!kind,cause,blocks;
           kind = 0; cause = 0; blocks = 0 }
    :: d_step { troubles > 0 && len(aggregator_broker) == 1 ->
           troubles--;
           aggregator_broker?<kind,from,blocks,complete>;
           aggregator_broker!kind,from,blocks,complete;
           kind = 0; from = 0; blocks = 0; complete = false }
    od
}

/* ---- time ---- */

#define MAY_WAIT(w) (part[w] != PART_COMPUTING || overtaken[w] < OVERTAKEN)
#define QUIET                                                                                                         \
    (EMPTY(worker_broker) && EMPTY(broker_worker) && EMPTY(worker_aggregator) && EMPTY(aggregator_worker) &&          \
     empty(aggregator_broker) && empty(broker_aggregator) && empty(client_broker) && empty(broker_client) &&          \
     MAY_WAIT(0) && MAY_WAIT(1) && !uncommitted && !answer[0] && !answer[1] &&                                        \
     !(stored_fold == BLOCKS && !stored_result) && !(accepted && kept_state == SWEEP_DONE))

inline tick_worker(w)
{
    if
    :: alive[w] && link[w] == LINK_REGISTERED -> beat(w)
    :: alive[w] && link[w] != LINK_REGISTERED -> hello(w)
    :: else -> skip
    fi;
    if
    :: part[w] == PART_SENT -> send_part(w)
    :: else -> skip
    fi
}

inline tick_aggregator()
{
    if
    :: registered && !uncommitted -> report()
    :: registered && uncommitted -> skip
    :: else -> SEND(aggregator_broker, MESSAGE_HELLO(aggregator_instance, 0, false))
    fi
}

inline overtake(w)
{
    if
    :: part[w] == PART_COMPUTING -> overtaken[w]++
    :: else -> overtaken[w] = 0
    fi
}

inline tick_client()
{
    if
    :: !accepted -> SEND(client_broker, MESSAGE_SUBMIT)
    :: else -> skip
    fi
}

proctype Clock() provided (!finished)
{
    byte turn, overtaken[WORKERS]; /* how often everybody had a turn while the worker computed */
end:
    do
    :: d_step { QUIET ->
           if
           :: turn == 0 -> tick_worker(0)
           :: turn == 1 -> tick_worker(1)
           :: turn == 2 -> tick_aggregator()
           :: turn == 3 ->
              tick_client();
              lapse(0);
              lapse(1);
              overtake(0);
              overtake(1)
           fi;
           turn = (turn + 1) % 4;
           check_promises() }
    :: d_step { troubles > 0 && lent_token[0] != 0 -> troubles--; missed[0] = PATIENCE - 1; lapse(0) }
    :: d_step { troubles > 0 -> troubles--; tick_worker(0) }
    :: d_step { troubles > 0 -> troubles--; tick_aggregator() }
    :: d_step { troubles > 0 && narrow -> troubles--; narrow = false }
    od
}

/* ---- the client ---- */

proctype Client() provided (!finished)
{
end:
    do
    :: d_step { broker_client?MESSAGE_ACCEPTED -> accepted = true; check_promises() }
    :: d_step { accepted && kept_state == SWEEP_DONE -> finished = true }
    od
}

/* Everybody has said HELLO already; a death makes them say it again. */
init
{
    atomic {
        alive[0] = true; alive[1] = true;
        link[0] = LINK_REGISTERED; link[1] = LINK_REGISTERED;
        peer[0] = 1; peer[1] = 1;
        room[0] = true; room[1] = true;
        part[0] = PART_FREE; part[1] = PART_FREE;
        registered = true; aggregator_peer = 1;
        run Worker(0);
        run Worker(1);
        run Broker();
        run Aggregator();
        run Client();
        run Network();
        run Clock();
        if
        :: narrow = true
        :: narrow = false
        fi
    }
}

ltl live { <> finished }

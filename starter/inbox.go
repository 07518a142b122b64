package starter

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"scrip.dev/scrip/store"
)

// Bounds of the inbox.
const (
	groupSize      = 64 // webhooks a transaction
	groupsAtOnce   = 2  // while one is stored, the next one gathers; more would be smaller
	notifyInterval = 50 * time.Millisecond
	inboxChannel   = "scrip_inbox" // what other processes' dispatchers listen to
)

// ErrInboxClosed is returned by Accept while the process ends.
var ErrInboxClosed = errors.New("the inbox is closed: the process is ending")

// Inbox stores verified webhooks. Those that come in at the same time share one
// transaction; few are in flight at a time, so that a slow disk makes groups
// larger instead of queues longer.
type Inbox struct {
	store   *store.Store
	metrics *InboxMetrics
	waiting chan *arrival
	woken   chan struct{}
	notify  chan struct{}
	closing chan struct{}
	done    sync.WaitGroup
}

type arrival struct {
	in       store.Incoming
	accepted store.Accepted
	err      error
	done     chan struct{}
}

// NewInbox starts an inbox; Close ends it.
func NewInbox(s *store.Store, m *InboxMetrics) *Inbox {
	i := &Inbox{
		store: s, metrics: m,
		waiting: make(chan *arrival), woken: make(chan struct{}, 1), notify: make(chan struct{}, 1), closing: make(chan struct{}),
	}
	for range groupsAtOnce {
		i.done.Go(i.run)
	}
	i.done.Go(i.notifyOthers)
	return i
}

// Close waits for the group in flight. Webhooks after that are answered with
// ErrInboxClosed.
func (i *Inbox) Close() {
	close(i.closing)
	i.done.Wait()
}

// Woken tells a dispatcher in this process that something was stored.
func (i *Inbox) Woken() <-chan struct{} { return i.woken }

// Accept stores one webhook. When it returns without an error the webhook is
// committed, or was already.
func (i *Inbox) Accept(ctx context.Context, in store.Incoming) (store.Accepted, error) {
	a := &arrival{in: in, done: make(chan struct{})}
	select {
	case i.waiting <- a:
	case <-i.closing:
		return store.Accepted{}, ErrInboxClosed
	case <-ctx.Done():
		return store.Accepted{}, ctx.Err()
	}
	// From here on it may be committed whatever the caller does, so the caller
	// waits for the truth; the transaction is bounded in time.
	<-a.done
	return a.accepted, a.err
}

// storeTimeout bounds one transaction, so that vendors get an answer while the
// database hangs.
const storeTimeout = 8 * time.Second

func (i *Inbox) run() {
	for {
		select {
		case a := <-i.waiting:
			i.storeGroup(i.gather(a))
		case <-i.closing:
			return
		}
	}
}

// gather takes whoever is waiting already; it waits for nobody.
func (i *Inbox) gather(first *arrival) []*arrival {
	group := []*arrival{first}
	runtime.Gosched() // whoever is about to hand one over comes into this group, not the next
	for len(group) < groupSize {
		select {
		case a := <-i.waiting:
			group = append(group, a)
		default:
			return group
		}
	}
	return group
}

func (i *Inbox) storeGroup(group []*arrival) {
	i.metrics.GroupSize.Observe(float64(len(group)))
	stored := i.storeTogether(group)
	if !stored && len(group) > 1 {
		for _, a := range group {
			i.storeTogether([]*arrival{a})
		}
	}
	i.wake()
	for _, a := range group {
		close(a.done)
	}
}

// storeTogether runs one transaction. It returns false where the group's members
// are worth a try of their own: some data was refused, or another process's group
// stood in the way.
func (i *Inbox) storeTogether(group []*arrival) bool {
	ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
	defer cancel()
	incoming := make([]store.Incoming, len(group))
	for n, a := range group {
		incoming[n] = a.in
	}
	accepted, err := i.store.Accept(ctx, incoming)
	for n, a := range group {
		if a.err = err; err == nil {
			a.accepted = accepted[n]
		}
	}
	return !store.IsDataError(err) && !store.IsConflict(err)
}

// wake tells the dispatcher, here at once and elsewhere soon.
func (i *Inbox) wake() {
	for _, c := range []chan struct{}{i.woken, i.notify} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// notifyOthers sends one NOTIFY for all webhooks of an interval, outside of their
// transactions: inside, it would make their commits wait for each other.
func (i *Inbox) notifyOthers() {
	for {
		select {
		case <-i.notify:
			ctx, cancel := context.WithTimeout(context.Background(), storeTimeout)
			_, _ = i.store.Pool.Exec(ctx, `SELECT pg_notify($1, '')`, inboxChannel) // a lost one costs half a second: they also look by themselves
			cancel()
		case <-i.closing:
			return
		}
		select {
		case <-time.After(notifyInterval):
		case <-i.closing:
			return
		}
	}
}

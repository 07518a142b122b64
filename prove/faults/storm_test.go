package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/e2e/walk"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/prove/world"
)

// stormy are ways that end soon, and on which nothing has to be done within a
// short time.
var stormy = []string{"cart-recovery redeemed", "cart-recovery redeemed-at-a-till", "cart-recovery bought-without-code", "cart-recovery by-hand",
	"sorry-after-ticket reopened", "referral-advocate friend-returned", "flash20-not-bought bought"}

func name(way walk.Way) string { return way.Campaign + " " + way.Name }

// TestPromise6_InAStormEverybodyArrives kills processes and servers at random
// while many people are under way at once.
func TestPromise6_InAStormEverybodyArrives(t *testing.T) {
	if !proof.Full() { // so many people need the machine for themselves to be in time
		t.Parallel()
	}
	people := proof.Size(12, 300)
	// An hour is long: what people do in time has to stay in time.
	w := world.Open(t, world.Options{Hour: proof.Size(1*time.Second, 5*time.Second), Starters: 1, Workers: 2, Served: 1, Patience: proof.Size(4*time.Minute, 40*time.Minute)})
	w.Pause = proof.Size(100*time.Millisecond, time.Second)
	ctx, end := context.WithCancel(t.Context())
	l := &lane{World: w, desk: w.OpenDesk(ctx)}
	var ways []walk.Way
	states := map[string][]string{}
	for _, way := range walk.Ways {
		if slices.Contains(stormy, name(way)) {
			ways = append(ways, way)
		}
	}
	var calm sync.Map
	t.Run("calm", func(t *testing.T) {
		for _, way := range ways {
			t.Run(name(way), func(t *testing.T) {
				t.Parallel()
				state, _ := l.walk(t, way, nil, standstill)
				calm.Store(name(way), state)
			})
		}
	})
	for _, way := range ways {
		state, ok := calm.Load(name(way))
		require.True(t, ok, "the way in calm is what the storm is held against")
		states[name(way)] = state.([]string)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("the storm's seed is %d", seed)
	var strikes map[string]int
	var storm sync.WaitGroup
	stopped, stop := context.WithCancel(ctx)
	storm.Go(func() { strikes = rage(t, stopped, w, rand.New(rand.NewPCG(seed, 0))) })
	t.Run("storm", func(t *testing.T) {
		for n := range people {
			way := ways[n%len(ways)]
			t.Run(fmt.Sprintf("%s-%d", name(way), n), func(t *testing.T) {
				t.Parallel()
				state, _ := l.walk(t, way, states[name(way)], l.Patience)
				require.Equal(t, states[name(way)], state)
			})
		}
	})
	stop()
	storm.Wait()
	l.audit(t)
	end()
	for _, victim := range append(w.Names(), "postgres", "temporal") {
		require.True(t, strikes[victim] > 0 || !proof.Full(), "%s was never killed", victim)
	}
	require.NotEmpty(t, strikes)
	if !t.Failed() {
		total := 0
		for _, n := range strikes {
			total += n
		}
		proof.Found(t, proof.Finding{Promise: 6, Tried: fmt.Sprintf("random kills among %d people under way at once", people), Times: total,
			Found: fmt.Sprintf("everybody arrived where they would have in calm; killed: %v; %d messages needed a person's word", strikes, l.desk.Settled())})
	}
}

// rage kills up to three of all that runs, every second or so, and starts them
// again, until ctx ends.
func rage(t *testing.T, ctx context.Context, w *world.World, random *rand.Rand) map[string]int {
	strikes := map[string]int{}
	victims := append(w.Names(), "postgres", "temporal")
	revive := func() {
		for _, name := range w.Names() {
			require.NoError(t, w.Start(name))
		}
	}
	defer revive() // what was started while Postgres was away
	for {
		revive()
		select {
		case <-ctx.Done():
			return strikes
		case <-time.After(500*time.Millisecond + time.Duration(random.Int64N(int64(2*time.Second)))):
		}
		var together sync.WaitGroup
		for _, n := range random.Perm(len(victims))[:1+random.IntN(3)] {
			victim, away := victims[n], time.Duration(random.Int64N(int64(time.Second)))
			strikes[victim]++
			together.Go(func() {
				switch victim {
				case "postgres":
					w.KillPostgres()
					time.Sleep(away)
					require.NoError(t, w.RestartPostgres())
				case "temporal":
					w.KillTemporal()
					time.Sleep(away)
					require.NoError(t, w.StartTemporal())
				default:
					w.Kill(victim)
					time.Sleep(away)
					require.NoError(t, w.Start(victim))
				}
			})
		}
		together.Wait()
	}
}

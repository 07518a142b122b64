// Here claimers call the store in a journey's place, so that a million claims fit
// into a run; the processes and Postgres are real. The live counterpart, with
// Temporal, starters and workers, is TestPromise3_JourneysInLineAreServedInTheirOrder.

package exact

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"scrip.dev/scrip/prove/control"
	"scrip.dev/scrip/prove/proof"
	"scrip.dev/scrip/store"
)

// market is a pool under claims by many processes, with all that may go on
// meanwhile.
type market struct {
	*shop
	plan                claimPlan
	codes               int
	kills, disturbances int
	dir                 string
	slots, claimers     int
	running             []*process // the claimers' processes by slot, then the importer
	generation          []int
	killed              int
	history             history
}

func TestPromise3_OneCodeOneHolder(t *testing.T) {
	const files = 20
	m := &market{
		shop: newShop(t), dir: t.TempDir(), slots: 4, claimers: 64,
		plan:  claimPlan{Claims: proof.Size(12_000, 1_000_000), Journeys: proof.Size(1_700, 140_000)},
		kills: proof.Size(10, 200), disturbances: proof.Size(400, 10_000),
	}
	m.codes = (m.plan.keys()*11/10 + files) / files * files
	m.apply("coupon: gift\ndiscount: {percentage: 10}\ncodes: {list: true}\non_empty: skip\n")
	m.journeys(m.plan.Journeys)
	began := time.Now()
	m.run(files)
	wall, steady := time.Now().Round(0).Sub(began.Round(0)), time.Since(began)
	for slot := range m.slots {
		for generation := range m.generation[slot] + 1 {
			require.NoError(t, m.history.read(historyFile(m.dir, slot, generation), m.plan))
		}
	}
	m.history.widen((wall - steady).Abs())
	keys, codes := m.history.byKey(), m.history.byCode()
	linearizable(t, keyModel, keys)
	linearizable(t, codeModel(m.plan), codes)
	held, left, withdrawn := m.audit()
	m.drain(left)
	require.Len(t, keys, m.plan.keys(), "every key was asked for")
	require.False(t, t.Failed(), "what was found wrong stands above")
	require.Positive(t, m.killed, "processes were killed")
	require.Positive(t, m.history.unheard, "answers were never heard")
	require.Positive(t, withdrawn, "codes were withdrawn")
	require.Positive(t, m.count(`SELECT count(*) FROM assignment WHERE returned_at IS NOT NULL`), "codes came back")
	proof.Found(t, proof.Finding{
		Promise: 3, Tried: "claims by 64 claimers in processes killed on the way, with imports, withdrawals and returns", Times: m.plan.Claims,
		Found: fmt.Sprintf("no code twice, no key with two codes, none lost: of %d codes %d held, %d still given, %d withdrawn; "+
			"%d processes killed, %d answers never heard, %d journeys ended; %d histories of a key or a code linearizable",
			m.codes, held, left, withdrawn, m.killed, m.history.unheard, m.count(`SELECT count(*) FROM journey WHERE state = 'ended'`), len(keys)+len(codes)),
	})
}

// run has all claims made.
func (m *market) run(files int) {
	m.Helper()
	m.running, m.generation = make([]*process, m.slots+1), make([]int, m.slots)
	for slot := range m.slots {
		m.claimer(slot)
	}
	importer := task{Import: &importTask{URL: m.url, Files: files, Codes: m.codes / files, Every: m.plan.keys() * 9 / 10 / files, Dir: m.dir}}
	m.running[m.slots] = start(m, importer)
	moments := make([]int, m.kills)
	for i := range moments {
		moments[i] = rand.IntN(m.plan.keys())
	}
	disturbed := make(chan error, 1)
	go func() { disturbed <- m.disturb() }()
	until(m, "all claims are made", func() bool {
		given, err := assigned(m.ctx, m.Store)
		require.NoError(m, err)
		for i, at := range moments {
			if at > given {
				continue
			}
			moments[i] = m.plan.Claims * 2 // done
			switch slot := rand.IntN(m.slots + 1); {
			case m.running[slot].over():
			case slot == m.slots:
				m.running[slot].kill()
				m.running[slot] = start(m, importer)
				m.killed++
			default:
				m.running[slot].kill()
				m.generation[slot]++
				m.claimer(slot)
				m.killed++
			}
		}
		running := false
		for _, p := range m.running {
			if p.over() && p.err != nil {
				m.Errorf("a process failed; it said why: %v", p.err)
			}
			running = running || !p.over()
		}
		return !running || m.Failed()
	})
	for _, p := range m.running {
		p.kill()
	}
	if !m.Failed() {
		require.NoError(m, <-disturbed)
	}
}

func (m *market) claimer(slot int) {
	m.running[slot] = start(m, task{Claim: &claimTask{
		URL: m.url, Plan: m.plan, Slot: slot, Slots: m.slots, Claimers: m.claimers / m.slots, Dir: m.dir, Generation: m.generation[slot],
	}})
}

// disturb ends journeys and withdraws codes while claims go on, evenly over their
// time. It ends those journeys whose claims are under way in that moment.
func (m *market) disturb() error {
	codes, ended := rand.Perm(m.codes), map[int]bool{}
	for i := range m.disturbances {
		newest, err := m.reach(i * m.plan.keys() * 9 / 10 / m.disturbances)
		if err != nil {
			return err
		}
		if j := m.plan.journey(newest + rand.IntN(2*m.claimers)); !ended[j] {
			ended[j] = true
			err := m.history.record(operation{journey: j}, func() error {
				_, err := m.EndJourney(m.ctx, store.Ending{Journey: journeyID(j), Outcome: "completed"})
				return err
			})
			if err != nil {
				return err
			}
		}
		if err := m.withdraw(codes[i]); err != nil {
			return err
		}
	}
	return nil
}

// reach waits until the claims have come as far as a key, and gives the newest.
func (m *market) reach(key int) (newest int, err error) {
	for newest = -1; newest < key; {
		var journey, ordinal int
		err := m.Pool.QueryRow(m.ctx, `SELECT substr(split_part(claim_key, '/', 1), 4)::int, split_part(claim_key, '/', 3)::int
			FROM assignment ORDER BY id DESC LIMIT 1`).Scan(&journey, &ordinal)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return 0, err
		}
		if err == nil {
			newest = ordinal*m.plan.Journeys + journey
		}
		if newest < key {
			time.Sleep(2 * time.Millisecond) // until it looks again
		}
	}
	return newest, nil
}

// withdraw takes a code back as soon as it has been imported.
func (m *market) withdraw(n int) (err error) {
	for {
		var there bool
		err := m.Pool.QueryRow(m.ctx, `SELECT EXISTS (SELECT 1 FROM code WHERE code_norm = $1)`, codeName(n)).Scan(&there)
		if err != nil {
			return err
		}
		if there {
			break
		}
		n /= 2
	}
	return m.history.record(operation{journey: -1, code: codeName(n)}, func() error {
		_, err := m.WithdrawCode(m.ctx, "", codeName(n))
		return err
	})
}

func TestControl_APoolsHeadMovesUnderItsLock(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the lock of the batch and the index of holders", File: "store/claim_supply.go",
		Old:     "+firstBatch+` FOR NO KEY UPDATE`,",
		New:     "+firstBatch,",
		Package: "./prove/exact", Proof: "TestPromise3_OneCodeOneHolder", Says: "a code has two holders",
		Env: short(`DROP INDEX assignment_one_holder`),
	})
}

func TestControl_AKeyHasOneAssignment(t *testing.T) {
	control.Miss(t, control.Safeguard{
		Name: "the unique key of claims", File: "store/claim_assignment.go",
		Old:     "ORDER BY key ON CONFLICT (claim_key) DO NOTHING RETURNING id, claim_key`",
		New:     "ORDER BY key RETURNING id, claim_key`",
		Package: "./prove/exact", Proof: "TestPromise3_OneCodeOneHolder", Says: "the history is not linearizable",
		Env: short(`ALTER TABLE assignment DROP CONSTRAINT assignment_claim_key_key; CREATE INDEX ON assignment (claim_key)`),
	})
}

// short is the environment of a control: the proof's short form, on a database
// without a constraint where one is named.
func short(without string) []string {
	return []string{"SCRIP_PROVE=", "SCRIP_PROVE_FINDINGS=", withoutVariable + "=" + without}
}

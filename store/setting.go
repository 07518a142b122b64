package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Names of settings.
const (
	settingKillSwitch = "kill_switch"
	settingClock      = "clock"
)

// KillSwitch holds all marketing messages of the project while On.
type KillSwitch struct {
	On    bool      `json:"on"`
	Since time.Time `json:"since,omitzero"`
	By    string    `json:"by,omitempty"` // the actor, as in the audit trail
}

// KillSwitch tells whether marketing is held.
func (s *Store) KillSwitch(ctx context.Context) (k KillSwitch, err error) {
	_, err = s.setting(ctx, s.Pool, settingKillSwitch, &k)
	return k, err
}

// SetKillSwitch holds all marketing messages, or lets them go on: the journeys
// that it held are told.
func (s *Store) SetKillSwitch(ctx context.Context, on bool, actor string) (KillSwitch, error) {
	k := KillSwitch{On: on, Since: time.Now().UTC(), By: actor}
	err := s.InTx(ctx, func(tx *Tx) error {
		if err := putSetting(ctx, tx, settingKillSwitch, k); err != nil {
			return err
		}
		if on {
			return Audit(ctx, tx, actor, "kill_switch.on", "project", nil)
		}
		told, err := s.tellJourneys(ctx, tx, "resume", struct{}{}, `j.state = 'parked' AND j.parked_reason = $4`, "kill_switch")
		if err != nil {
			return err
		}
		return Audit(ctx, tx, actor, "kill_switch.off", "project", map[string]any{"journeys": told})
	})
	return k, err
}

// ClockStart is the moment at which the development clock and the real time
// agreed: when the project was first started on one. It is kept, so that a
// restart doesn't move anybody's deadline.
func (s *Store) ClockStart(ctx context.Context) (time.Time, error) {
	var clock struct {
		Start time.Time `json:"start"`
	}
	clock.Start = time.Now().UTC()
	err := s.settingOnce(ctx, settingClock, &clock)
	return clock.Start, err
}

func (s *Store) setting(ctx context.Context, q Querier, name string, into any) (found bool, err error) {
	var value []byte
	err = q.QueryRow(ctx, `SELECT value FROM setting WHERE name = $1`, name).Scan(&value)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err == nil {
		err = json.Unmarshal(value, into)
	}
	if err != nil {
		return false, fmt.Errorf("reading the setting %s: %w", name, err)
	}
	return true, nil
}

// settingOnce stores the value unless there is one, and reads what then stands
// there: whichever process is first decides.
func (s *Store) settingOnce(ctx context.Context, name string, value any) error {
	if found, err := s.setting(ctx, s.Pool, name, value); found || err != nil {
		return err
	}
	if _, err := s.Pool.Exec(ctx, `INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING`, name, value); err != nil {
		return fmt.Errorf("storing the setting %s: %w", name, err)
	}
	_, err := s.setting(ctx, s.Pool, name, value)
	return err
}

func putSetting(ctx context.Context, q Querier, name string, value any) error {
	if _, err := q.Exec(ctx, `INSERT INTO setting (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value); err != nil {
		return fmt.Errorf("storing the setting %s: %w", name, err)
	}
	return nil
}

package store_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func withJourneysOfTwoCampaigns(t *testing.T) *codes {
	c := newCodes(t)
	c.journeys(100)
	_, err := c.Pool.Exec(c.ctx, `WITH c AS (INSERT INTO campaign (name, version_no) VALUES ('other', 1) RETURNING id)
		INSERT INTO campaign_version (campaign_id, no, source, plan_format, sha256) SELECT id, 1, '', 1, '' FROM c`)
	require.NoError(t, err)
	return c
}

func TestLongOpenJourneys_GivesEachItsTurn(t *testing.T) {
	t.Parallel()
	c := withJourneysOfTwoCampaigns(t)
	_, err := c.Pool.Exec(c.ctx, `UPDATE journey SET started_at = now() - interval '2 hours',
		campaign_id = (SELECT id FROM campaign WHERE name = CASE WHEN substr(journey.id, 4)::int % 2 = 0 THEN 'cart' ELSE 'other' END)`)
	require.NoError(t, err)
	_, err = c.Pool.Exec(c.ctx, `UPDATE journey SET state = 'ended', ended_at = now(), outcome = 'completed' WHERE id LIKE 'jn_1_'`)
	require.NoError(t, err)
	_, err = c.Pool.Exec(c.ctx, `UPDATE journey SET started_at = now() WHERE substr(id, 4)::int >= 30`) // more than a page
	require.NoError(t, err)
	var want []string
	for i := range 30 {
		if i < 10 || i >= 20 {
			want = append(want, journey(i))
		}
	}
	for range 2 { // and then again
		seen := map[string]int{}
		for range 20 {
			journeys, err := c.LongOpenJourneys(c.ctx, 3)
			require.NoError(t, err)
			require.LessOrEqual(t, len(journeys), 3)
			for _, j := range journeys {
				seen[j.ID]++
				require.Equal(t, []string{"cart", "other"}[j.ID[len(j.ID)-1]%2], j.Campaign)
			}
			if c.count(`SELECT count(*) FROM setting WHERE name = 'upkeep_cursor'`) == 0 {
				break
			}
		}
		var got []string
		for id, times := range seen {
			require.Equal(t, 1, times, id)
			got = append(got, id)
		}
		slices.Sort(got)
		slices.Sort(want)
		require.Equal(t, want, got)
	}
}

// TestLongOpenJourneys_LeavesWhatEntersMeanwhileToTheNextSweep has one campaign enter more
// between two rounds than a round gives.
func TestLongOpenJourneys_LeavesWhatEntersMeanwhileToTheNextSweep(t *testing.T) {
	t.Parallel()
	c := withJourneysOfTwoCampaigns(t)
	_, err := c.Pool.Exec(c.ctx, `UPDATE journey SET started_at = now() - interval '2 hours',
		created_at = now() + CASE WHEN id < 'jn_2' OR id = 'jn_99' THEN interval '-2 hours' ELSE interval '1 hour' END,
		campaign_id = (SELECT id FROM campaign WHERE name = CASE journey.id WHEN 'jn_99' THEN 'other' ELSE 'cart' END)`)
	require.NoError(t, err)
	var got []string
	for range 10 {
		journeys, err := c.LongOpenJourneys(c.ctx, 3)
		require.NoError(t, err)
		for _, j := range journeys {
			got = append(got, j.ID)
		}
		if c.count(`SELECT count(*) FROM setting WHERE name = 'upkeep_cursor'`) == 0 {
			break
		}
	}
	require.Equal(t, []string{"jn_0", "jn_1", "jn_10", "jn_11", "jn_12", "jn_13", "jn_14", "jn_15", "jn_16", "jn_17", "jn_18", "jn_19", "jn_99"}, got)
}

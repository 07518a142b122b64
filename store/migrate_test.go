package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMigrate_TriesAgainWhereThoseWhoServeStoodInItsWay(t *testing.T) {
	t.Parallel()
	s := opened(t)
	_, err := s.Pool.Exec(t.Context(), `
		DELETE FROM goose_db_version WHERE version_id = (SELECT max(version_id) FROM goose_db_version);
		CREATE SEQUENCE tries;
		CREATE FUNCTION stand_in_its_way() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN
			IF nextval('tries') < 3 THEN
				RAISE 'deadlock detected' USING ERRCODE = 'deadlock_detected';
			END IF;
			RETURN NEW;
		END $$;
		CREATE TRIGGER stand_in_its_way BEFORE INSERT ON goose_db_version FOR EACH ROW EXECUTE FUNCTION stand_in_its_way()`)
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	var tries int
	require.NoError(t, s.Pool.QueryRow(t.Context(), `SELECT last_value FROM tries`).Scan(&tries))
	require.Equal(t, 3, tries)
}

package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimeOf_IsWhenAnIdWasMade(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Millisecond)
	at := timeOf(NewID(MessageID))
	require.False(t, at.Before(before))
	require.False(t, at.After(time.Now()))
	require.True(t, timeOf("").IsZero())
	require.True(t, timeOf("at_x").IsZero())
}

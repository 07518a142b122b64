package store

import "time"

// The database's clock and the processes' clocks can be apart, and either can be
// set while an attempt is under way. A moment of one is therefore never compared
// with a moment of the other. Two lengths of time are: how long ago the attempt
// began, as each clock measured it. Only what both say counts, so that a clock
// which is set makes an attempt or a silence look shorter, never longer.

// Begun is when the last attempt began, by the clock of the process that made it.
// It is in the attempt's token, from before the attempt was written down.
func (m *Message) Begun() time.Time { return timeOf(m.Token) }

// Since is how long ago the last attempt began.
func (m *Message) Since() time.Duration { return max(0, min(m.ago, time.Since(m.Begun()))) }

// Left is how long the attempt under way may still take.
func (m *Message) Left() time.Duration { return m.Span - m.Since() }

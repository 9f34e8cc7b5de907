package views

import (
	"context"
	"fmt"
	"time"

	"prilavok/domain"
)

// VisitFrame is what every step's screen has: the visit as it is saved, the
// step on the screen, and the faults of the last try.
type VisitFrame struct {
	Visit     domain.Visit
	Step      domain.Step
	RequestID string
	Faults    Faults
}

// URL is the address of the step's form.
func (f VisitFrame) URL() string { return f.At(string(f.Step)) }

// At is the address of a part of this visit.
func (f VisitFrame) At(tail string) string { return fmt.Sprintf("/visits/%d/%s", f.Visit.ID, tail) }

// BackURL is the nearest earlier step that can be opened; the first step
// leads to the counter.
func (f VisitFrame) BackURL() string {
	back := "/counter"
	for _, s := range domain.Steps() {
		if s == f.Step {
			break
		}
		if f.Visit.Reachable(s) {
			back = f.At(string(s))
		}
	}
	return back
}

// StepBar draws where the visit stands; every step that can be opened is a
// link.
func (f VisitFrame) StepBar(ctx context.Context) []Step {
	var bar []Step
	for _, s := range domain.Steps() {
		step := Step{Label: T(ctx, "step."+string(s)), State: StepTodo}
		switch f.Visit.State(s) {
		case domain.StepDone:
			step.State = StepDone
		case domain.StepSkipped:
			step.State = StepSkipped
		}
		if s == f.Step {
			step.State = StepCurrent
		} else if f.Visit.Reachable(s) {
			step.URL = f.At(string(s))
		}
		bar = append(bar, step)
	}
	return bar
}

// CounterView is the advisor's first screen.
type CounterView struct {
	RequestID string
	Location  *time.Location
	Open      []domain.Visit
}

// AgeView is the age step.
type AgeView struct {
	VisitFrame
	Threshold int
	Age       domain.AgeCheck
	BirthDate string // only after a fault; never read from anywhere else
}

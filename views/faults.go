package views

import (
	"context"

	"prilavok/domain"
)

// Faults are the faults of a form, in the order of its fields.
type Faults []FieldError

// Error gives the fault of a field, empty where there is none.
func (f Faults) Error(field string) string {
	for _, e := range f {
		if e.Field == field {
			return e.Text
		}
	}
	return ""
}

// Say puts a text of the domain into the words of the context's language.
// Data named Count chooses the plural form.
func Say(ctx context.Context, t domain.Text) string {
	pairs := make([]any, 0, 2*len(t.Data))
	for name, value := range t.Data {
		pairs = append(pairs, name, value)
	}
	if n, ok := t.Data["Count"].(int); ok {
		return TN(ctx, t.Key, n, pairs...)
	}
	return T(ctx, t.Key, pairs...)
}

"""The stakeholder game: coalitions of members, valued by the model, summed exactly."""

"""The use cases, once, for every door: study files in, studies started, looked at, steered and exported."""

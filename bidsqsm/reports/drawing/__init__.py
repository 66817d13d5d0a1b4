"""Drawing: the images of a run, planes through them, figures and charts."""

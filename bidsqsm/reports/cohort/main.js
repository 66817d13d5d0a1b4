for (const part of document.querySelectorAll('.scripted')) part.hidden = false;
startFilters();
startTable();
startStrips();
startMontage();
applyFilter();

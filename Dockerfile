FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links=/wheels bidsqsm && rm -rf /wheels
# TemplateFlow's home must be readable by any user; name templates to bake them in:
#   docker build --build-arg TEMPLATES="MNI152NLin2009cAsym" .
ARG TEMPLATES=""
ENV TEMPLATEFLOW_HOME=/opt/templateflow
RUN mkdir -p "$TEMPLATEFLOW_HOME" \
    && for template in $TEMPLATES; do \
         python -c "import sys; from templateflow.api import get; get(sys.argv[1], resolution=1)" "$template"; \
       done \
    && chmod -R a+rX "$TEMPLATEFLOW_HOME"
ENV PYTHONNOUSERSITE=1
ENTRYPOINT ["bidsqsm"]
